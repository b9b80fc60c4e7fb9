"""Backtest: runs the core with a simulated clock over history under one or more policies.

`columns.py` reads files, `cache.py` records topics, `scan.py` finds with DuckDB the rows that can
matter, `lines.py` counts who is near a line. `words.py` reads answers from a file, `answers.py` is
a model of answers for data without them. `run.py` puts them together and runs the core
(`streams/lives/partition.py`). `tally.py` collects the result, `report.py` makes JSON of it,
`sentences.py` and `page.py` text and HTML, `files.py` writes files, `against.py` compares two
policies, `shards.py` splits a backtest by accounts and merges the parts. It needs the extra
`backtest`.
"""
