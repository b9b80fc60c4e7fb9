"""A `read_committed` reader of all events: hands them on, and holds each account to its order."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import Consumer, TopicPartition


class OutputOrder:
    """`sequence` rises by one with each event of an account and mode: once each, none missing.

    The three topics of an account are read in any order, so a gap is one only at the end.
    """

    def __init__(self) -> None:
        self.twice = 0
        self._next: Counter[tuple[str, str]] = Counter()
        self._ahead: dict[tuple[str, str], set[int]] = defaultdict(set)

    def take(self, key: str, mode: str, sequence: int) -> None:
        """An event as it comes."""
        who = (key, mode)
        ahead = self._ahead[who]
        if sequence <= self._next[who] or sequence in ahead:
            self.twice += 1
            return
        ahead.add(sequence)
        while self._next[who] + 1 in ahead:
            self._next[who] += 1
            ahead.remove(self._next[who])

    @property
    def missing(self) -> int:
        """Accounts and modes in whose order something is missing."""
        return sum(bool(ahead) for ahead in self._ahead.values())


class Outputs:
    """Reads topics from their beginning until `close`."""

    def __init__(
        self,
        bootstrap: str,
        topics: Iterable[str],
        partitions: int,
        hear: Callable[[dict[str, Any]], None],
    ) -> None:
        self.events: Counter[str] = Counter()
        self.order = OutputOrder()
        self._hear = hear
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "soak-outputs",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 2,
            }
        )
        self._consumer.assign(
            [TopicPartition(name, number, 0) for name in topics for number in range(partitions)]
        )
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outputs", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is not None:
                    continue
                event = json.loads(message.value())
                self.events[event["event"]] += 1
                self.order.take(message.key().decode(), event["mode"], event["sequence"])
                self._hear(event)

    def close(self) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join()
        self._consumer.close()
