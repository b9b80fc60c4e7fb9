"""Runs lives of accounts through the unchanged core with a simulated clock.

A life is the sequence of an account's inputs. `partition.py` runs a partition in memory.

For `byline policy test`: `suite.py` reads lives from YAML, `overlay.py` makes the policies that
they run under, `leading.py` runs one, `expectation.py` compares the events, `running.py` runs all
and says which rows of the state machines were taken, `mutants.py` says which values of a policy the
tests check.

For `byline policy diff`: `regions.py` generates accounts that stand for all others, `account.py`
runs one, `verdict.py` compares two policies by them, `telling.py` prints the result.
"""
