"""Is a roll-out safe to go on with? Those whom the last change let in, beside those before them.

`cohorts.py` reads who was let in by what out of the index, `sequential.py` is the test,
`comparison.py` feeds it, and `status.py` gives the verdict: go on, hold, not enough yet. Nothing
here acts.
"""
