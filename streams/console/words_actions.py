"""The words of what a person can do in the console."""

WORDS: dict[str, tuple[str, str]] = {}
