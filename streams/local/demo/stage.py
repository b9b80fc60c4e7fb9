"""The processes of the demo: a real Kafka, its topics and two workers, in a temporary folder.

With `keep` the index and the console come after them (desk.py).
"""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port
from streams.settings import Settings

PREFIX = "byline."
PARTITIONS = 4
WORKERS = 2
STOP_SECONDS = 10.0
READY_SECONDS = 120.0
PROBE_SECONDS = 0.5
LOG_TAIL_LINES = 12
STOP_SCRIPT = """\
# Ends what `byline demo --keep` left: console, index and workers, then Kafka, then this folder.
end() {{
  kill "$@" 2>/dev/null
  for it; do
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
      kill -0 "$it" 2>/dev/null || continue 2
      sleep 1
    done
    kill -9 "$it" 2>/dev/null
  done
}}
end {others}
end {kafka}
rm -rf "$(dirname "$0")"
"""


class StageError(Exception):
    """A worker of the demo ended, or is not ready in time; the message says which."""


def started(words: list[str], log: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts a command of ours with these settings alone; `log` gets what it says."""
    inherited = os.environ.items()  # noqa: TID251 handed on, not read
    own = {name: it for name, it in inherited if not name.startswith("BYLINE_")}
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 our own words
            [sys.executable, "-m", "streams", *words],
            env={**own, **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def tail(log: Path, code: int) -> str:
    """Returns what to say of a command that ended: its exit code, and the end of its log."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join([f"{log.stem} ended with exit code {code}:", *lines])


@dataclass
class DemoWorker:
    """A worker: its folder (the log is beside it), its process and its observed state."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=free_port)
    ready: bool = False
    partitions: list[int] = field(default_factory=list)
    lag: int | None = None

    def __post_init__(self) -> None:
        self.name = self.folder.name
        self.log = self.folder.with_suffix(".log")

    def get(self, path: str) -> tuple[int, bytes]:
        """Returns status and body of a page; status 0 if the worker does not answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=1.0)
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        return 0, b""

    async def probe(self) -> None:
        """Asks `/readyz`, as Kubernetes would: readiness, partitions and lag."""
        status, page = await asyncio.to_thread(self.get, "/readyz")
        self.ready = status == http.client.OK
        with contextlib.suppress(ValueError, KeyError, TypeError):
            partitions = json.loads(page)["partitions"]
            self.partitions = sorted(int(item["partition"]) for item in partitions)
            self.lag = sum(int(item["lag"]) for item in partitions)


class DemoStage:
    """Starts the processes, in the order of its methods. `stop` ends what was started so far."""

    def __init__(self, keep: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="byline-demo-"))
        self.policies = self.folder / "policies"
        self.policies.mkdir()
        self.kafka = KafkaCluster(self.folder / "kafka", detached=keep, brief=not keep)
        self.workers: list[DemoWorker] = []
        self.others: list[subprocess.Popen[bytes]] = []
        """What runs beside the workers; it is ended before them."""

    @property
    def settings(self) -> Settings:
        """The settings of our own clients; the environment has no part in them."""
        return Settings.model_construct(kafka_bootstrap_servers=self.kafka.bootstrap)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of commands: where Kafka and the policies are."""
        return {
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "BYLINE_POLICIES": str(self.policies),
        }

    async def start_workers(self) -> None:
        """Starts the workers, and returns once all are ready.

        Raises:
            StageError: one ends, or is not ready in time.
        """
        for number in range(1, WORKERS + 1):
            worker = DemoWorker(self.folder / f"worker-{number}")
            self.workers.append(worker)
            own = {"BYLINE_DATA_DIR": str(worker.folder), "BYLINE_HTTP_HOST": HOST}
            own |= {"BYLINE_HTTP_PORT": str(worker.port), **self.variables}
            worker.process = started(["worker"], worker.log, own)
        deadline = time.monotonic() + READY_SECONDS
        while late := [worker.name for worker in self.workers if not worker.ready]:
            if time.monotonic() > deadline:
                words = f"not ready after {READY_SECONDS:.0f} s; see {self.folder}"
                raise StageError(f"{', '.join(late)} {words}")
            await asyncio.sleep(0.1)
            self.look()
            await asyncio.gather(*(worker.probe() for worker in self.workers))

    async def watch(self) -> None:
        """Keeps the state of the workers up to date, until cancelled."""
        while True:
            await asyncio.gather(*(worker.probe() for worker in self.workers))
            await asyncio.sleep(PROBE_SECONDS)

    def look(self) -> None:
        """Checks that all workers run. Raises StageError, with the end of its log, if one ended."""
        for worker in self.workers:
            gone = None if worker.process is None else worker.process.poll()
            if gone is not None:
                raise StageError(tail(worker.log, gone))

    def stop(self) -> None:
        """Ends what runs beside the workers and them, then Kafka, and removes the folder."""
        processes = self._running()
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.kafka.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_stop_script(self) -> Path:
        """Writes a script that ends all processes and removes the folder. Returns its path."""
        script = self.folder / "stop.sh"
        others = " ".join(str(process.pid) for process in self._running())
        script.write_text(STOP_SCRIPT.format(others=others, kafka=self.kafka.pid()))
        return script

    def _running(self) -> list[subprocess.Popen[bytes]]:
        workers = [worker.process for worker in self.workers if worker.process]
        return [*reversed(self.others), *workers]
