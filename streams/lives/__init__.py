"""Lives of accounts led through the unchanged core with a simulated clock.

`partition.py` runs a partition in memory. The rest is `byline policy test`: `suite.py` reads the
lives from YAML, `overlay.py` makes the policies that they are led under, `leading.py` leads one,
`expectation.py` compares what followed, `running.py` says which rows of the machines were taken,
and `mutants.py` which values of a policy count. For `byline policy diff`, `account.py` imagines an
account, `regions.py` one for each region of the world, and `verdict.py` judges.
"""
