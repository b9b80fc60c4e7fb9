"""What befalls a request, by the seed, the client and the request's number alone."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.wire.frames import APIS, Request

KINDS = ("held", "dropped", "repeated", "released late", "reset")
SHARES = {
    "InitProducerId": 0.3,
    "AddPartitionsToTxn": 0.13,
    "AddOffsetsToTxn": 0.2,
    "TxnOffsetCommit": 0.24,
    "EndTxn": 0.3,
    "Produce": 0.13,
}
"""How many of the requests are touched. The first ends no producer, so it may be more often."""


@dataclass(frozen=True, slots=True)
class WireFault:
    """`how` tells the forms of a kind apart. `seconds`: of a hold, and at most until a release.

    `after_answers`: a late request, or a copy, is let go when so many further answers (to requests
    of the kind `to`, if given) of the same client have come; `between`: before the last of them is
    passed on, so that it comes between two requests for certain. `code`: of the kind `answered`,
    where the proxy answers in the broker's place; only tests that name their faults have it.
    """

    kind: str
    how: str
    seconds: float = 0.0
    after_answers: int = 0
    between: bool = False
    to: str = ""
    code: int = 0


class WireChance:
    """Draws by a seed, of `kinds`. `late_repeats` false: copies come right behind the request that
    they copy.
    """

    def __init__(
        self,
        seed: str,
        timeout_seconds: float,
        shares: Mapping[str, float] = SHARES,
        late_repeats: bool = True,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._seed, self._timeout, self._shares = seed, timeout_seconds, shares
        self._kinds = kinds
        self._late_repeats = late_repeats
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)

    def draw(self, request: Request) -> WireFault | None:
        """The fault of this request, if any; each call is a request more."""
        at = (request.client_id, request.api)
        self._numbers[at] += 1
        draw = random.Random(f"{self._seed}:{at}:{self._numbers[at]}")
        if draw.random() >= self._shares.get(request.api, 0.0):
            return None
        return self._make(draw, draw.choice(self._kinds))

    def _make(self, draw: random.Random, kind: str) -> WireFault:
        if kind == "held":
            # One in four longer than anybody waits.
            factor = draw.uniform(1.05, 1.4) if draw.random() < 0.25 else draw.uniform(0.01, 0.3)
            return WireFault(kind, "", self._timeout * factor)
        if kind == "dropped":
            return WireFault(kind, draw.choice(("request", "answer")))
        if kind == "reset":
            return WireFault(kind, draw.choice(("before", "on the way", "before the answer")))
        if kind == "repeated" and (not self._late_repeats or draw.random() < 0.3):
            return WireFault(kind, "at once")
        answers, between = draw.randint(1, 12), draw.random() < 0.7
        return WireFault(kind, "late", draw.uniform(0.5, 4.0), answers, between)


class Script:
    """Faults that a test names: the `number`-th request (from 1) of an API, and what befalls it."""

    def __init__(self, faults: Mapping[tuple[str, int], WireFault]) -> None:
        self._faults = dict(faults)
        self._numbers: Counter[str] = Counter()

    def draw(self, request: Request) -> WireFault | None:
        """The fault of this request, if any; each call is a request more."""
        self._numbers[request.api] += 1
        return self._faults.pop((request.api, self._numbers[request.api]), None)


def empty_table() -> dict[str, dict[str, int]]:
    """API to kind to zero."""
    return {api: dict.fromkeys(KINDS, 0) for api in APIS.values()}
