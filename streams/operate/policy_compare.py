"""Compares two values of a policy: the difference in words, and whether it is stricter.

Stricter is meant for the owners of accounts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from schemas.enums import Mode
from streams.core.model.policy import MODE_ORDER

NEW_ONLY = "for new invitations only"
LOWERS_FLOOR = "lowers the floor → rescan needed"
WIDENS_LABELS = "widens labels → rescan needed"


class Direction(StrEnum):
    """Whether a difference is stricter or milder for the owners of accounts."""

    STRICTER = "stricter"
    MILDER = "milder"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """One difference: the key in the file, the change in words, its direction, and a remark."""

    where: str
    change: str
    direction: Direction
    note: str = ""

    @property
    def rescan(self) -> bool:
        """Whether inputs must be read again, because the old policy dropped some that now count."""
        return self.note in (LOWERS_FLOOR, WIDENS_LABELS)

    def as_dict(self) -> dict[str, str | bool]:
        """Returns the difference as JSON of `byline policy diff --json`."""
        return {**asdict(self), "direction": self.direction.value, "rescan": self.rescan}

    def __str__(self) -> str:
        """Returns the difference as one printed line."""
        note = f" ({self.note})" if self.note else ""
        return f"{self.direction.value:<8}  {self.where}: {self.change}{note}"


def plain(where: str, a: object, b: object) -> Iterator[PolicyDifference]:
    """Yields the difference of a value that has no direction, if `a` and `b` differ."""
    if a != b:
        yield PolicyDifference(where, f"{word(a)} → {word(b)}", Direction.NEUTRAL)


def word(value: object) -> str:
    """Writes a value as a policy file does."""
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
    """Yields the difference of a value whose size gives the direction, if `a` and `b` differ.

    `words` and `size` give a value's text and number. `stricter_up`: a larger size is stricter.
    `note` is added if the change is stricter. `absent`: the text for None.
    """
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
    """Returns a size function for numbers that may be None, which has the size `absent`."""
    return lambda value: absent if value is None else value


def strength(mode: Mode | None) -> float:
    """Returns the rank of a mode. None is a phase or surface without its own: as `enforce`."""
    return MODE_ORDER.index(mode or Mode.ENFORCE)


def listed(words: Iterable[str]) -> str:
    """Joins words with commas, sorted; `none` if there are none."""
    return ", ".join(sorted(words)) or "none"
