"""Everything a run stands on, put together once: site, workers, traffic, watch; and its end."""

import pickle
import time
from pathlib import Path
from types import TracebackType

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import INPUTS
from tests.chaos.book import ends, open_book
from tests.chaos.checks import ChaosVerdict, judge
from tests.chaos.grounds import APPLICATION, PREFIX, ChaosSite
from tests.chaos.memory import Memory
from tests.chaos.sending import Sender
from tests.chaos.supervisor import Supervisor
from tests.chaos.traffic import Traffic, TrafficRates
from tests.chaos.watch import Watch

SETTLE_SECONDS = 35.0
READY_SECONDS = 120.0


class ChaosStage:
    """A context manager: brokers are up, nobody works and nothing is sent until one says so."""

    def __init__(
        self, site: ChaosSite, seed: int | str, rates: TrafficRates, mutation: str = ""
    ) -> None:
        self.site, self._seed, self._rates, self._mutation = site, seed, rates, mutation
        self.keep: Path | None = None
        """Where to write down all that was read, to be judged again."""

    def __enter__(self) -> "ChaosStage":
        self.site.__enter__()
        bootstrap, partitions = self.site.kafka.bootstrap, self.site.partitions
        self.supervisor = Supervisor(self.site, mutation=self._mutation)
        self.sender = Sender(bootstrap, partitions, self._seed)
        self.traffic = Traffic(self.sender, self._seed, self._rates)
        self.watch = Watch(bootstrap, partitions, self.traffic.hear)
        self.memory = Memory(self.supervisor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.memory.close()
        self.watch.close()
        self.supervisor.close()
        self.site.__exit__()

    def begin(self, workers: int) -> None:
        """Workers and traffic; returns when every partition has committed something."""
        self.supervisor.scale(workers)
        self.traffic.start()
        self.heard_since(0.0, READY_SECONDS)

    def heard_since(self, at: float, seconds: float) -> float | None:
        """How long after `at` every partition had committed again; None: not within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            waited = self.watch.next_after(at)
            if waited is not None and len(self.watch.arrivals) == self.site.partitions:
                return waited
            time.sleep(0.1)
        return None

    def drained(self, seconds: float) -> float | None:
        """How long until the group has read all inputs to their ends; None: not in `seconds`."""
        names = [PREFIX + topic.name for topic in INPUTS if not topic.single]
        places = [(name, number) for name in names for number in range(self.site.partitions)]
        goals = ends(self.site.kafka.bootstrap, places, "read_uncommitted")
        group = Consumer(
            {
                "bootstrap.servers": self.site.kafka.bootstrap,
                "group.id": APPLICATION,
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        began = time.monotonic()
        try:
            while time.monotonic() - began < seconds:
                wanted = [TopicPartition(name, number) for name, number in places]
                try:
                    committed = group.committed(wanted, 20)
                except KafkaException:
                    # A coordinator that is on its way, or a machine that is busy.
                    continue
                found = {(tp.topic, tp.partition): tp.offset for tp in committed}
                if all(found[place] >= goal or goal == 0 for place, goal in goals.items()):
                    return time.monotonic() - began
                time.sleep(0.25)
            return None
        finally:
            group.close()

    def end(self, settle_seconds: float = SETTLE_SECONDS) -> ChaosVerdict:
        """Let timers run out, stop the workers, and judge."""
        time.sleep(settle_seconds)
        until = time.time()
        self.supervisor.stop_all()
        book = open_book(self.site)
        if self.keep is not None:
            self.keep.write_bytes(pickle.dumps((book, self.sender.acked_at, until)))
        verdict = judge(book, self.site, self.sender.acked_at, until)
        verdict.breaches["sending"] = self.sender.failed
        if self.site.between is not None:
            verdict.breaches["asked again"] = self.site.between.asked_again
        return verdict
