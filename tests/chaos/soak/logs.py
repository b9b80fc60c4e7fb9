"""What two workers wrote, from one restart to the next: whether they grow more talkative."""

import json
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.chaos.soak.samples import Growth

BY_ITSELF = "goes on"


@dataclass(frozen=True)
class Interval:
    """From a restart to the next one. `at`: seconds since the begin. `how` it was restarted."""

    at: float
    how: str
    seconds: float
    bytes: int
    lines: int

    @property
    def bytes_a_minute(self) -> float:
        """The rate."""
        return self.bytes * 60 / self.seconds


def entries(text: str) -> list[tuple[float, int, str]]:
    """Of each line of a JSON log: its time (seconds UTC), its bytes, what it says.

    The last one may be half written.
    """
    found = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        said = json.loads(line)
        at = datetime.fromisoformat(said["at"]).timestamp()
        found.append((at, len(line.encode()) + 1, str(said["message"])))
    return found


def intervals(
    texts: Iterable[str], began: float, restarts: Sequence[tuple[float, str]], end: float
) -> list[Interval]:
    """What all logs hold from one restart to the next, and after the last one until `end`.

    `began`: seconds UTC. `restarts`, `end`: seconds since then.
    """
    lines = [(at - began, size) for text in texts for at, size, _ in entries(text)]
    edges = [(0.0, BY_ITSELF), *restarts]
    found = []
    for (at, how), until in zip(edges, [at for at, _ in restarts] + [end], strict=True):
        own = [size for when, size in lines if at <= when < until]
        found.append(Interval(at, how, round(until - at, 1), sum(own), len(own)))
    return found


def growth(found: Sequence[Interval]) -> Growth:
    """How the rate rises over time: a restart is compared with others of its kind.

    One that was told to stop writes other lines than one that was killed.
    """

    def slope(own: Sequence[Interval]) -> float:
        above = below = 0.0
        for how in {one.how for one in own}:
            alike = [one for one in own if one.how == how]
            at_mean = statistics.fmean(one.at for one in alike)
            mean = statistics.fmean(one.bytes_a_minute for one in alike)
            above += sum((one.at - at_mean) * (one.bytes_a_minute - mean) for one in alike)
            below += sum((one.at - at_mean) ** 2 for one in alike)
        return above / below if below else 0.0

    if not found:
        return Growth(0.0, 0.0, 0.0, 0)
    mean = statistics.fmean(one.bytes_a_minute for one in found)
    partial = [slope([one for one in found if one is not left_out]) for left_out in found]
    centre = statistics.fmean(partial)
    spread = sum((one - centre) ** 2 for one in partial)
    error = (spread * (len(partial) - 1) / len(partial)) ** 0.5
    scale = 3600 * 100 / mean if mean else 0.0
    return Growth(
        round(mean, 1), round(slope(found) * scale, 2), round(error * scale, 2), len(found)
    )


def talk(texts: Iterable[str], most: int = 20) -> dict[str, Any]:
    """Bytes by what was said, numbers left out; the most talkative ones."""
    said: Counter[str] = Counter()
    for text in texts:
        for _, size, message in entries(text):
            said[re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "#", message)[:80]] += size
    return dict(said.most_common(most))
