"""What a policy would have done to history: the same core, a simulated clock.

`columns.py` reads histories, `cache.py` records topics, `scan.py` finds the rows that matter with
DuckDB and `lines.py` who is near a line. `words.py` reads answers, and `answers.py` is the stated
model of those that the data lack. `run.py` puts them together and leads the core
(`streams/lives/partition.py`). `tally.py` is what is found, `report.py` its form, `sentences.py`
and `page.py` what people read, `files.py` writes them, `against.py` compares two runs. It needs the
extra `backtest`.
"""
