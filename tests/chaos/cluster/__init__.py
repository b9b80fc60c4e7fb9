"""A cluster that changes under workers that have work to do: `python -m tests.chaos.cluster`.

`changes` what is done to the cluster, and the way out of each · `ground` topics, workers and lives
of one change · `judge` what must hold of the events, from the events and the inputs alone.
"""
