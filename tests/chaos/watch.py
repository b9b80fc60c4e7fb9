"""A `read_committed` consumer of everything that comes out: who saw what when, and the gaps."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.topics import DECISIONS, OUTPUTS
from tests.chaos.grounds import PREFIX

Listener = Callable[[str, dict[str, Any]], None]


class Watch:
    """Hands events to `listener`; keeps the arrival times of transactions, by partition."""

    def __init__(self, bootstrap: str, partitions: int, listener: Listener) -> None:
        self.arrivals: dict[int, list[float]] = defaultdict(list)
        self.latencies: list[float] = []
        self.events = 0
        self._listener = listener
        self._ending = threading.Event()
        names = [PREFIX + topic.name for topic in (*OUTPUTS, DECISIONS)]
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "chaos-watch",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "log_level": 2,
            }
        )
        self._consumer.assign(
            [TopicPartition(name, number, 0) for name in names for number in range(partitions)]
        )
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        decisions = PREFIX + DECISIONS.name
        while not self._ending.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is not None:
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        continue
                    continue
                if message.topic() == decisions:
                    if message.key() == b"#transaction":
                        self.arrivals[message.partition()].append(time.time())
                    continue
                self.events += 1
                self._listener(message.key().decode(), json.loads(message.value()))

    def stalls(self, since: float, until: float) -> dict[int, tuple[float, float]]:
        """By partition the longest time without a committed transaction: (seconds, from when)."""
        longest = {}
        for partition, arrivals in self.arrivals.items():
            times = [since, *(at for at in arrivals if since < at < until)]
            gaps = [(later - earlier, earlier) for earlier, later in pairwise(times)]
            longest[partition] = max(gaps, default=(until - since, since))
        return longest

    def next_after(self, at: float) -> float | None:
        """How long after an instant every partition had said something again; None: not yet."""
        waits = []
        for arrivals in list(self.arrivals.values()):
            later = next((one for one in arrivals if one > at), None)
            if later is None:
                return None
            waits.append(later - at)
        return max(waits, default=None)

    def close(self) -> None:
        """Read no more."""
        self._ending.set()
        self._thread.join()
        self._consumer.close()
