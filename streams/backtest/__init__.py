"""What a policy would have done to history: the same core, a simulated clock.

`lead.py` runs one partition of the core through simulated time, `columns.py` and `scan.py` find the
rows that matter with DuckDB, `answers.py` is the stated model of answers that the data lack,
`run.py` puts them together. `tally.py` and `carried.py` are what is found, `against.py` compares
two runs, `page.py`, `terminal.py` and `files.py` write it. It needs the extra `backtest`.
"""
