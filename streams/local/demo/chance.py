"""Pseudo-random numbers by name: a seed gives the same day on any machine, in any call order."""

import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Chance(NamedTuple):
    """Gives a number in [0, 1) for every name, which depends only on the seed and the name."""

    seed: int

    def draw(self, *name: object) -> float:
        """Returns the number of a name."""
        return self.several(1, *name)[0]

    def several(self, count: int, *name: object) -> tuple[float, ...]:
        """Returns up to eight numbers of a name."""
        text = "\0".join(map(str, (self.seed, *name)))
        digest = hashlib.blake2b(text.encode(), digest_size=8 * count).digest()
        return tuple(number / 2**64 for number in struct.unpack(f">{count}Q", digest))

    def between(self, low: float, high: float, *name: object) -> float:
        """Returns a number in [low, high) for a name."""
        return low + (high - low) * self.draw(*name)

    def choose(self, choices: Sequence[T], *name: object) -> T:
        """Returns one of the choices for a name."""
        return choices[int(self.draw(*name) * len(choices))]

    def account_id(self, *name: object) -> str:
        """Returns an account id of ten digits for a name."""
        return str(int(self.between(10**9, 10**10, "account", *name)))
