"""What the command line says, for the scenarios."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.contestants import Contestant


@dataclass(frozen=True)
class Options:
    """`scale` multiplies every size and length; at 1 they are those of issue 5."""

    scale: float = 1.0
    rounds: int = 3
    contestants: tuple[Contestant, ...] = ()
    minutes: float = 3.0
    say: Callable[[str], None] = field(default=print)

    def count(self, size: int, least: int = 20) -> int:
        """A number of things at this scale."""
        return max(least, int(size * self.scale))

    def seconds(self, length: float, least: float = 3.0) -> float:
        """A length of time at this scale; never longer than asked."""
        return min(length, max(least, length * self.scale))

    def takes_part(self, name: str) -> bool:
        """Whether a contestant was chosen."""
        return any(one.name == name for one in self.contestants)
