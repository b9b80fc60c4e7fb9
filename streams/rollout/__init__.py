"""Judges whether a roll-out may go on: compares accounts that the last change let in with others.

`cohorts.py` reads both groups from the index, `sequential.py` is the statistical test,
`comparison.py` applies it to one rate, and `status.py` gives the verdict: go on, hold, or not
enough yet. Nothing here changes anything.

A rate is the share of accounts to which something happens within a time after the invitation:
undelivered, declined, appeal upheld.
"""
