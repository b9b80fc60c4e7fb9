"""Times of a test: durations after its start, or instants."""

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
    """The clock of one test. `start`: milliseconds UTC."""

    start: int

    @classmethod
    def of(cls, start: str) -> "Moments":
        """Raises InvalidValue: not an instant."""
        return cls(parse_instant(start))

    def at(self, text: object) -> int:
        """An instant in milliseconds UTC. Raises InvalidValue: neither form."""
        if not isinstance(text, str):
            raise InvalidValue(f"{quoted(str(text))} is not a time", "write PT24H, or RFC 3339")
        if text.startswith("P"):
            return self.start + parse_duration(text)
        return parse_instant(text)

    def shown(self, instant: int) -> str:
        """An instant as a duration after the start where it can be one."""
        after = instant - self.start
        return (
            format_duration(after) if after >= 0 and after % 1000 == 0 else format_instant(instant)
        )
