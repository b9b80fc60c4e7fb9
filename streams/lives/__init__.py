"""Lives of accounts led through the unchanged core with a simulated clock.

`partition.py` runs a partition in memory. The rest is `byline policy test`: `suite.py` reads the
lives from YAML, `overlay.py` makes the policies that they are led under, `leading.py` leads one,
`matching.py` compares what followed, `coverage.py` and `mutants.py` say what a suite exercises.
"""
