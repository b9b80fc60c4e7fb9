"""The shipped `byline worker` as a process, and what its own pages say of it."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from streams.local.probe import free_port
from tests.bench.process import Process
from tests.bench.site import POLICIES, DataSet, Site

READY_SECONDS = 120.0
DRAINED_SECONDS = 300.0


class BenchWorker(Process):
    """`byline worker` number `number` of an application over a data set."""

    def __init__(
        self,
        site: Site,
        data: DataSet,
        application: str,
        *,
        number: int = 0,
        policies: Path = POLICIES,
    ) -> None:
        self.port = free_port()
        self.disk = site.folder / application / f"disk-{number}"
        self.disk.mkdir(parents=True, exist_ok=True)
        environment = {
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": site.bootstrap,
            "BYLINE_TOPIC_PREFIX": data.prefix,
            "BYLINE_APPLICATION_ID": application,
            "BYLINE_POLICIES": str(policies),
            "BYLINE_DATA_DIR": str(self.disk),
            "BYLINE_INSTANCE_ID": f"worker-{number}",
            "BYLINE_HTTP_PORT": str(self.port),
        }
        command = (sys.executable, "-m", "streams", "worker")
        log = site.folder / f"{application}-{number}.log"
        super().__init__(command, environment, log, site.code)

    def page(self, path: str) -> str:
        """The text of a page of its site; empty when it does not listen."""
        try:
            address = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(address, timeout=5) as page:
                return page.read().decode()  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def partitions(self) -> list[dict[str, Any]]:
        """What it says of its partitions; none while it does not listen."""
        text = self.page("/readyz")
        return json.loads(text)["partitions"] if text else []

    def running(self) -> int:
        """How many partitions it serves."""
        return sum(part["state"] == "running" for part in self.partitions())

    def metric(self, name: str) -> float:
        """A metric, added up over its labels; 0 when it does not say."""
        for family in text_string_to_metric_families(self.page("/metrics")):
            samples = [sample.value for sample in family.samples if sample.name == name]
            if samples:
                return sum(samples)
        return 0.0


def wait_ready(
    workers: list[BenchWorker], partitions: int, seconds: float = READY_SECONDS
) -> float:
    """Until every partition is served by one of them; when that was."""
    deadline = time.monotonic() + seconds
    while sum(worker.running() for worker in workers) < partitions:
        for worker in workers:
            worker.require()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {seconds:.0f} s:\n{workers[0].tail()}")
        time.sleep(0.05)
    return time.time()


def wait_drained(
    site: Site,
    data: DataSet,
    application: str,
    processes: Sequence[Process],
    seconds: float = DRAINED_SECONDS,
) -> float:
    """Until the group has put what the two busy topics hold now behind it; when that was."""
    deadline = time.monotonic() + seconds
    wanted = site.ends(data)
    while True:
        done = site.committed(application, data)
        if all(done[name] >= wanted[name] for name in wanted):
            return time.time()
        for process in processes:
            process.require()
        if time.monotonic() > deadline:
            said = processes[0].tail()
            raise TimeoutError(f"{done} of {wanted} records after {seconds:.0f} s:\n{said}")
        time.sleep(0.1)
