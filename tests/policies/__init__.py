"""Policies from files: what is refused, and with which words; what loads, and to what."""
