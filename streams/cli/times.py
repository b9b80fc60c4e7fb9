"""Parses a time that an option gives."""

from typing import overload

from streams.operate.audit.records import millis
from streams.operate.errors import UsageError


@overload
def time_of(option: str, text: str) -> int: ...
@overload
def time_of(option: str, text: str | None) -> int | None: ...
def time_of(option: str, text: str | None) -> int | None:
    """Parses an RFC 3339 time; returns ms since 1970, None for None. Raises UsageError.

    `option`: its name, for the message.
    """
    if text is None:
        return None
    try:
        return millis(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a time like 2026-01-31T12:00:00+08:00") from None
