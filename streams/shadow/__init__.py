"""`byline shadow report`: what shadow mode published, and what `enforce` would do from now on.

`said.py` counts the events, `trial.py` runs the core in enforce on the present state, `against.py`
compares shadow with a backtest, `report.py` puts them together. Nothing here changes anything.
"""
