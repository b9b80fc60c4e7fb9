"""Seeded chance: the same seed gives the same day on any machine, whatever was drawn before."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chance:
    """A number in [0, 1) for every name; it depends on the seed and the name alone."""

    seed: int

    def draw(self, *name: object) -> float:
        """The number that belongs to a name."""
        return self.several(1, *name)[0]

    def several(self, count: int, *name: object) -> tuple[float, ...]:
        """Up to eight numbers that belong to a name."""
        text = "\0".join(map(str, (self.seed, *name)))
        digest = hashlib.blake2b(text.encode(), digest_size=8 * count).digest()
        return tuple(number / 2**64 for number in struct.unpack(f">{count}Q", digest))

    def between(self, low: float, high: float, *name: object) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.draw(*name)

    def choose(self, choices: Sequence[T], *name: object) -> T:
        """One of several."""
        return choices[int(self.draw(*name) * len(choices))]

    def account_id(self, *name: object) -> str:
        """An opaque account id of ten digits."""
        return str(int(self.between(10**9, 10**10, "account", *name)))
