"""Handles dead letters: shows the refused records, sends them again, or dismisses them.

A dead letter names a refused record but does not contain it. reading.py reads the letters and their
marks, origins.py fetches the refused records from their topics, masked.py hides text that may be
personal, settle.py sends records again and marks their letters, in one transaction. A letter is
*settled* once it has the mark `redriven` or `dismissed`.
"""
