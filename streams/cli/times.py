"""A time that an option names."""

from typing import overload

from streams.operate.audit.records import millis
from streams.operate.errors import UsageError


@overload
def time_of(option: str, text: str) -> int: ...
@overload
def time_of(option: str, text: str | None) -> int | None: ...
def time_of(option: str, text: str | None) -> int | None:
    """Milliseconds UTC of an RFC 3339 text; None without one. Raises `UsageError`."""
    if text is None:
        return None
    try:
        return millis(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a time like 2026-01-31T12:00:00+08:00") from None
