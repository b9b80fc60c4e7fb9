"""Fuzzing of everything that reads bytes which anybody may have written.

`drawn` and `drawn_files` draw the bytes, `targets` holds what reads them to its promises, `bugs`
plants mistakes that must be found, `__main__` is the long run.
"""
