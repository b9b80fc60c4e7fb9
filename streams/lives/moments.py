"""Parses the times of a test: durations after its start, or instants."""

from typing import NamedTuple

from streams.policies.faults import InvalidValue
from streams.policies.scalars import (
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
    quoted,
)


class Moments(NamedTuple):
    """Parses and formats the times of one test. `start`: ms since 1970."""

    start: int

    @classmethod
    def of(cls, start: str) -> "Moments":
        """Makes it of the start as RFC 3339. Raises InvalidValue for another text."""
        return cls(parse_instant(start))

    def at(self, text: object) -> int:
        """Parses a duration after the start, or RFC 3339; returns ms since 1970.

        Raises InvalidValue for anything else.
        """
        if not isinstance(text, str):
            raise InvalidValue(f"{quoted(str(text))} is not a time", "write PT24H, or RFC 3339")
        if text.startswith("P"):
            return self.start + parse_duration(text)
        return parse_instant(text)

    def shown(self, instant: int) -> str:
        """Formats an instant (ms) as a duration after the start if possible, else as RFC 3339."""
        after = instant - self.start
        return (
            format_duration(after) if after >= 0 and after % 1000 == 0 else format_instant(instant)
        )
