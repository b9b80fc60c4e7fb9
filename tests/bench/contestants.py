"""Who takes part: the shipped worker and its peers, how each is started and told apart."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import ceilings, java, quix_home
from tests.bench.process import Process
from tests.bench.site import POLICIES, DataSet, Site
from tests.bench.worker import BenchWorker

PEERS = "tests.bench.peers"


@dataclass(frozen=True)
class Job:
    """One run: whose, over what, under which application id."""

    site: Site
    data: DataSet
    application: str
    workers: int = 1
    policies: Path | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the run may write."""
        path = self.site.folder / self.application
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """What a peer is told."""
        return {
            "BOOTSTRAP": self.site.bootstrap,
            "APPLICATION": self.application,
            "FOLLOWERS": self.data.topic("follower-counts"),
            "CATEGORIES": self.data.topic("category-changes"),
            "INVITATIONS": f"{self.application}-invitations",
            "PARTITIONS": str(self.data.shape.partitions),
            "STATE_DIR": str(self.folder / "state"),
            **self.more,
        }


@dataclass(frozen=True)
class Contestant:
    """`share`: of the accounts of a data set, for those that would take minutes with all of them.

    `reads_only`: it writes nothing, so that only the number of records can be checked. `workers`:
    processes of the shipped worker; 0 for a peer, which is one process.
    """

    name: str
    title: str
    command: Callable[[], list[str]]
    share: float = 1.0
    reads_only: bool = False
    workers: int = 0
    why_not: Callable[[], str | None] = lambda: None

    @property
    def is_byline(self) -> bool:
        """Whether it is the shipped worker."""
        return self.workers > 0

    def start(self, job: Job) -> list[Process]:
        """Start it; its outputs go to `invitations_of(job)`."""
        if self.is_byline:
            job.site.create_byline_topics(job.data, job.application)
            policies = job.policies or POLICIES
            return [
                BenchWorker(job.site, job.data, job.application, number=number, policies=policies)
                for number in range(job.workers)
            ]
        job.site.create([f"{job.application}-invitations"], job.data.shape.partitions)
        log = job.site.folder / f"{job.application}.log"
        return [Process(self.command(), job.environment, log)]

    def invitations(self, job: Job) -> str:
        """The topic of its invitations."""
        if self.is_byline:
            return job.data.topic("invitations")
        return f"{job.application}-invitations"


def _module(name: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"{PEERS}.{name}", *arguments]


def _faust() -> list[str]:
    app = ("-A", f"{PEERS}.faust_table", "worker", "-l", "info", "--without-web")
    return [sys.executable, "-m", "faust", *app]


def _quix() -> list[str]:
    return [str(quix_home.python()), "-m", f"{PEERS}.quix"]


CONTESTANTS: dict[str, Contestant] = {
    one.name: one
    for one in (
        Contestant("byline", "Byline, the shipped worker", list, workers=1),
        Contestant("byline-2", "Byline, two workers", list, workers=2),
        Contestant(
            "kstreams",
            "Kafka Streams, exactly_once_v2, RocksDB, two threads, tuned",
            lambda: java.KSTREAMS.command("2", "plain"),
            why_not=java.why_not,
        ),
        Contestant(
            "kstreams-floor",
            "Kafka Streams, the same, taught Byline's floor",
            lambda: java.KSTREAMS.command("2", "floor"),
            why_not=java.why_not,
        ),
        Contestant(
            "flink",
            "Flink, exactly once, RocksDB, parallelism two",
            lambda: java.FLINK.command("2"),
            why_not=java.why_not,
        ),
        Contestant(
            "confluent", "transactional loop on confluent-kafka", _module("confluent_loop"), 0.5
        ),
        Contestant("aiokafka", "transactional loop on aiokafka", _module("aiokafka_loop"), 0.2),
        Contestant("quix", f"Quix Streams {quix_home.VERSION}, exactly-once", _quix, 0.1),
        Contestant("faust", "stock Faust, at_least_once, memory table", _faust, 0.02),
        Contestant(
            "raw-msgspec",
            "aiokafka getmany + msgspec, nothing else",
            _module("raw_getmany", "msgspec"),
            reads_only=True,
        ),
        Contestant(
            "raw-json",
            "aiokafka getmany + stdlib json, nothing else",
            _module("raw_getmany", "json"),
            reads_only=True,
        ),
        Contestant(
            "kcat",
            "kcat (librdkafka), nothing else",
            lambda: ceilings.tool("kcat"),
            reads_only=True,
            why_not=ceilings.kcat_why_not,
        ),
        Contestant(
            "perf-test",
            "kafka-consumer-perf-test, nothing else",
            lambda: ceilings.tool("perf-test"),
            reads_only=True,
            why_not=ceilings.perf_test_why_not,
        ),
        Contestant(
            "franz-go",
            "franz-go, nothing else",
            ceilings.franz,
            reads_only=True,
            why_not=ceilings.franz_why_not,
        ),
    )
}


def available(names: list[str], say: Callable[[str], None]) -> list[Contestant]:
    """Those of the named that can run here; says plainly which cannot and why."""
    found = []
    for name in names:
        reason = CONTESTANTS[name].why_not()
        if reason is None:
            found.append(CONTESTANTS[name])
        else:
            say(f"{name} is left out: {reason}")
    return found
