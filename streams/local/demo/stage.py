"""The processes of the demo: a real Kafka, its topics and two workers, in a temporary folder."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from schemas.topics import Topic
from streams.local.demo.tally import Worker
from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port

PARTITIONS = 4
WORKERS = 2
STOP_SECONDS = 10.0
TOPICS_SECONDS = 180.0
LOG_TAIL_LINES = 12


STOP_SCRIPT = """\
# Ends what `byline demo --keep` left: the workers, then Kafka, then this folder.
end() {{
  kill "$@" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    kill -0 "$@" 2>/dev/null || return 0
    sleep 1
  done
  kill -9 "$@" 2>/dev/null
}}
end {workers}
end {kafka}
rm -rf "$(dirname "$0")"
"""


class StageError(Exception):
    """Topics or workers of the demo could not be started, or ended; the message says which."""


@dataclass
class Stage:
    """Starts the processes, in the order of its methods. `stop` ends what was started so far."""

    keep: bool
    folder: Path = field(init=False)
    kafka: KafkaCluster = field(init=False)
    workers: list[Worker] = field(default_factory=list, init=False)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="byline-demo-"))
        self.kafka = KafkaCluster(self.folder / "kafka", detached=self.keep, brief=not self.keep)

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers of the demo's Kafka."""
        return self.kafka.bootstrap

    @property
    def policies(self) -> Path:
        """The folder of the demo's policies."""
        return self.folder / "policies"

    @property
    def logs(self) -> list[Path]:
        """The log files: one per worker, with its stdout and stderr."""
        return [self.folder / f"{worker.name}.log" for worker in self.workers]

    def environment(self, worker: Worker | None = None) -> dict[str, str]:
        """Returns the environment of a worker or command, without other BYLINE_ variables."""
        inherited = {
            name: value
            for name, value in os.environ.items()  # noqa: TID251 handed on, not read
            if not name.startswith("BYLINE_")
        }
        return {**inherited, **self.settings(worker)}

    def settings(self, worker: Worker | None = None) -> dict[str, str]:
        """Returns only the BYLINE_ variables of a worker or command."""
        settings = {
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "BYLINE_POLICIES": str(self.policies),
        }
        if worker is not None:
            settings["BYLINE_DATA_DIR"] = str(self.folder / worker.name)
            settings["BYLINE_HTTP_HOST"] = HOST
            settings["BYLINE_HTTP_PORT"] = str(worker.port)
        return settings

    def start_kafka(self) -> None:
        """Starts the broker. Raises the errors of `streams.local.errors`."""
        self.kafka.start()

    def create_topics(self) -> None:
        """Creates the topics with `byline topics create`, like an operator.

        Raises:
            StageError: it fails or takes too long.
        """
        self.policies.mkdir(exist_ok=True)
        try:
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "streams", "topics", "create", f"--partitions={PARTITIONS}"],
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=TOPICS_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise StageError(
                f"byline topics create took over {TOPICS_SECONDS:.0f} s: other work keeps this"
                " machine busy. End it, and start the demo again"
            ) from error
        if done.returncode:
            raise StageError(f"byline topics create failed:\n{done.stdout}{done.stderr}")

    def start_workers(self) -> None:
        """Starts the workers, and does not wait until they are ready."""
        for number in range(1, WORKERS + 1):
            worker = Worker(name=f"worker-{number}", pid=0, port=free_port())
            (self.folder / worker.name).mkdir()
            with (self.folder / f"{worker.name}.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "streams", "worker"],
                    env=self.environment(worker),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            worker.pid = process.pid
            self.workers.append(worker)
            self._processes.append(process)

    def look(self) -> None:
        """Checks that all workers run.

        Raises:
            StageError: one has ended, with the end of its log.
        """
        for worker, process in zip(self.workers, self._processes, strict=True):
            worker.gone = process.poll()
            if worker.gone is not None:
                log = self.folder / f"{worker.name}.log"
                lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
                text = "\n".join(lines)
                raise StageError(f"{worker.name} ended with exit code {worker.gone}:\n{text}")

    def stop(self) -> None:
        """Ends the workers, then Kafka, and removes the folder."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes:
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
        workers = " ".join(str(worker.pid) for worker in self.workers)
        script.write_text(STOP_SCRIPT.format(workers=workers, kafka=self.kafka.pid()))
        return script


def partitions(topic: Topic) -> int:
    """Returns the partition count of a topic in the demo."""
    return 1 if topic.single else PARTITIONS
