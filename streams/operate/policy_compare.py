"""The differences between two values: which way they go for the owners of accounts, in words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from schemas.enums import Mode
from streams.core.model.policy import MODE_ORDER

NEW_ONLY = "for new invitations only"
LOWERS_FLOOR = "lowers the floor → rescan needed"
WIDENS_LABELS = "widens labels → rescan needed"


class Direction(StrEnum):
    """Which way a difference goes for the owners of accounts."""

    STRICTER = "stricter"
    MILDER = "milder"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """One thing that changes: the key in the file, the change in words, what follows from it."""

    where: str
    change: str
    direction: Direction
    note: str = ""

    @property
    def rescan(self) -> bool:
        """Whether inputs that were dropped under the old policy count under the new one."""
        return self.note in (LOWERS_FLOOR, WIDENS_LABELS)

    def as_dict(self) -> dict[str, str | bool]:
        """For a program to read."""
        return {**asdict(self), "direction": self.direction.value, "rescan": self.rescan}

    def __str__(self) -> str:
        """One line for a person."""
        note = f" ({self.note})" if self.note else ""
        return f"{self.direction.value:<8}  {self.where}: {self.change}{note}"


def plain(where: str, a: object, b: object) -> Iterator[PolicyDifference]:
    """A value that is neither stricter nor milder."""
    if a != b:
        yield PolicyDifference(where, f"{word(a)} → {word(b)}", Direction.NEUTRAL)


def word(value: object) -> str:
    """A value as a policy file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def measure(
    where: str,
    a: object,
    b: object,
    words: Callable[..., str],
    size: Callable[..., float],
    *,
    stricter_up: bool,
    note: str = "",
    absent: str = "null",
) -> Iterator[PolicyDifference]:
    """A value whose size says which way it goes; `note` is added to what gets stricter."""
    if a == b:
        return
    before, after = (absent if value is None else words(value) for value in (a, b))
    direction = Direction.NEUTRAL
    if size(a) != size(b):
        up = size(b) > size(a)
        direction = Direction.STRICTER if up is stricter_up else Direction.MILDER
    kept = note if direction is Direction.STRICTER else ""
    yield PolicyDifference(where, f"{before} → {after}", direction, kept)


def size_or(absent: float) -> Callable[[int | None], float]:
    """The size of a number that may be absent."""
    return lambda value: absent if value is None else value


def strength(mode: Mode | None) -> float:
    """A mode of its own can only weaken: without one it is as strong as can be."""
    return MODE_ORDER.index(mode or Mode.ENFORCE)


def listed(words: Iterable[str]) -> str:
    """Several words in one order."""
    return ", ".join(sorted(words)) or "none"
