"""A worker of its own over topics of its own, with a watch: what most scenarios begin with."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.data import DataShape, Row
from tests.bench.loading import load
from tests.bench.machine import load as load_average
from tests.bench.site import POLICIES, Site
from tests.bench.traffic import covered_labels
from tests.bench.watch import BenchWatch
from tests.bench.worker import BenchWorker, wait_drained, wait_ready

ISSUED = "byline.invitation.issued.v1"
CANCELLED = "byline.invitation.cancelled.v1"
DELIVERED = "byline.invitation.delivered.v1"
APPLIED = "byline.throttle.applied.v1"


class BenchStage:
    """Made with empty inputs; a context manager that ends the worker and removes the topics."""

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        partitions: int = 8,
        policies: Path = POLICIES,
        watched: Sequence[str] = ("invitations",),
    ) -> None:
        self.site = site
        self.partitions = partitions
        self.load_before = load_average()
        self.data = site.empty(DataShape(name, 0, 0, partitions))
        self.application = site.fresh(name)
        self.policies = policies
        self.worker: BenchWorker
        site.create_byline_topics(self.data, self.application)
        self.watch = BenchWatch(site.bootstrap, map(self.data.topic, watched), partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if hasattr(self, "worker"):
            self.worker.stop()
        self.watch.close()
        self.site.drop_run(self.data, self.application)
        self.site.drop_data(self.data)

    def start(self) -> BenchWorker:
        """Start the worker, or start it again, on its own disk; return at once."""
        self.worker = BenchWorker(self.site, self.data, self.application, policies=self.policies)
        return self.worker

    def ready(self) -> float:
        """Until it serves every partition; when that was."""
        return wait_ready([self.worker], self.partitions)

    def load(self, topic: str, rows: Iterable[Row]) -> int:
        """Put records into an input; how many."""
        return load(self.site.bootstrap, self.data.topic(topic), rows)

    def cover(self, accounts: Sequence[str]) -> None:
        """Give accounts a covered label."""
        self.load("category-changes", covered_labels(accounts))

    def drained(self) -> float:
        """Until the two busy topics are behind the worker; when that was."""
        return wait_drained(self.site, self.data, self.application, [self.worker])

    def beside(self, filler: Callable[..., Iterable[Row]], topic: str, *given: Any) -> SpawnProcess:
        """Load `filler(*given)` from a process of its own, so that no timing here suffers."""
        context = multiprocessing.get_context("spawn")
        where = (self.site.bootstrap, self.data.topic(topic))
        process = context.Process(target=_fill, args=(*where, filler, given), daemon=True)
        process.start()
        return process


def _fill(
    bootstrap: str, topic: str, filler: Callable[..., Iterable[Row]], given: Sequence[Any]
) -> None:
    load(bootstrap, topic, filler(*given))


def failure(error: Exception) -> dict[str, Any]:
    """The figures of a run that could not be finished."""
    return {"failed": str(error)[-2000:]}


def combined(*verdicts: Any) -> dict[str, int]:
    """Several verdicts as one."""
    names = ("outputs", "missing", "extra", "duplicates")
    return {name: sum(getattr(one, name) for one in verdicts) for name in names}
