"""A read_committed reader of what comes out: which keys, and when they could be seen."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import OFFSET_END, Consumer, TopicPartition


class WatchedEvent(NamedTuple):
    """A record as a consumer met it; `at` is seconds of this machine's clock."""

    at: float
    topic: str
    partition: int
    key: str
    event: str


class WatchVerdict(NamedTuple):
    """What came out against what had to: all three are 0 when it is right."""

    outputs: int
    missing: int
    extra: int
    duplicates: int

    @property
    def right(self) -> bool:
        """Whether each that had to come came once, and nothing else."""
        return not (self.missing or self.extra or self.duplicates)


def judge(keys: Iterable[str], expected: Iterable[str]) -> WatchVerdict:
    """Each expected key once, and no other."""
    counts, wanted = Counter(keys), set(expected)
    outputs = sum(counts.values())
    return WatchVerdict(
        outputs,
        len(wanted - counts.keys()),
        len(counts.keys() - wanted),
        outputs - len(counts),
    )


class BenchWatch:
    """Reads topics from their beginning, or from now on, until `close`."""

    def __init__(
        self, bootstrap: str, topics: Iterable[str], partitions: int, *, from_now: bool = False
    ) -> None:
        self.seen: list[WatchedEvent] = []
        self._counts: Counter[str] = Counter()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench-watch",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        start = OFFSET_END if from_now else 0
        self._consumer.assign(
            [TopicPartition(name, part, start) for name in topics for part in range(partitions)]
        )
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            message = self._consumer.poll(0.2)
            if message is None or message.error():
                continue
            key = (message.key() or b"").decode()
            event = dict(message.headers() or ()).get("ce_type", b"").decode()
            where = (message.topic(), message.partition())
            self.seen.append(WatchedEvent(time.time(), *where, key, event))
            self._counts[event] += 1
        self._consumer.close()

    def count(self, event: str = "") -> int:
        """How many records have come; cheap enough to ask again and again."""
        return self._counts[event] if event else len(self.seen)

    def keys(self, event: str = "") -> list[str]:
        """The keys seen, of one CloudEvents type if one is given."""
        return [one.key for one in list(self.seen) if not event or one.event == event]

    def first_seen(self, event: str = "") -> dict[str, float]:
        """When each key was seen first."""
        found: dict[str, float] = {}
        for one in list(self.seen):
            if not event or one.event == event:
                found.setdefault(one.key, one.at)
        return found

    def wait_for(self, count: int, seconds: float, event: str = "") -> bool:
        """Until so many records have come; False when they have not in that time."""
        deadline = time.monotonic() + seconds
        while self.count(event) < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def settle(self, quiet_seconds: float = 1.0) -> None:
        """Until nothing has come for a while."""
        count, since = -1, time.monotonic()
        while len(self.seen) != count or time.monotonic() - since < quiet_seconds:
            if len(self.seen) != count:
                count, since = len(self.seen), time.monotonic()
            time.sleep(0.05)

    def close(self) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join(5)
