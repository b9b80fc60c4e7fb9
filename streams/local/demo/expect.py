"""Compares an account's events with those that its storyline expects."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby


def collapse(tokens: Iterable[str]) -> tuple[str, ...]:
    """Removes repeats of adjacent tokens: events of several surfaces become one."""
    return tuple(token for token, _ in groupby(tokens))


def as_told(expected: Sequence[str], tokens: Iterable[str]) -> bool:
    """Whether `tokens` are the expected ones, in order; an expected one with `?` may be missing."""
    pattern = "".join(
        f"(?:{re.escape(token.removesuffix('?'))} )" + ("?" if token.endswith("?") else "")
        for token in expected
    )
    text = "".join(f"{token} " for token in collapse(tokens))
    return re.fullmatch(pattern, text) is not None
