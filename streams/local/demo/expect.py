"""Whether an account's events are what its storyline says must follow."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby


def collapse(tokens: Iterable[str]) -> tuple[str, ...]:
    """Equal neighbours count once: one event a surface, in whatever order of surfaces."""
    return tuple(token for token, _ in groupby(tokens))


def as_told(expected: Sequence[str], tokens: Iterable[str]) -> bool:
    """Whether `tokens`, in order, are the expected ones; those ending in `?` may be missing."""
    pattern = "".join(
        f"(?:{re.escape(token.removesuffix('?'))} )" + ("?" if token.endswith("?") else "")
        for token in expected
    )
    text = "".join(f"{token} " for token in collapse(tokens))
    return re.fullmatch(pattern, text) is not None
