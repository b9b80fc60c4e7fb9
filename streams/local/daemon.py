"""`byline kafka start|stop|status`: runs a local Kafka as a background process.

`DIR/kafka.json` stores its process id and start time. The start time is needed because the system
may give the process id to another process later.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streams.extras import to_install
from streams.local.errors import LocalKafkaError, PackagesMissingError
from streams.local.kafka import KafkaCluster
from streams.local.node import STOP_TIMEOUT_SECONDS
from streams.local.probe import brokers_seen, is_free

DEFAULT_PORT = 9092


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The state of the background Kafka of one folder.

    `started_at_seconds`: when its process started, UTC.
    """

    running: bool
    answers: bool = False
    bootstrap: str | None = None
    pid: int | None = None
    started_at_seconds: float | None = None
    data_dir: str = ""
    log: str = ""


def start(data_dir: Path, port: int | None = None) -> DaemonStatus:
    """Starts the Kafka of a folder unless it runs. Returns when it answers.

    `port`: None means 9092, or a free one if that is taken.

    Raises:
        LocalKafkaError: it cannot be started, or runs on another port.
    """
    found = status(data_dir)
    if found.running:
        asked = f"127.0.0.1:{port}"
        if port is not None and found.bootstrap != asked:
            raise LocalKafkaError(
                f"a Kafka of {data_dir} is running at {found.bootstrap}: stop it first"
                " (`byline kafka stop`), or give another --data-dir"
            )
        return found
    chosen = port or (DEFAULT_PORT if is_free(DEFAULT_PORT) else None)
    cluster = KafkaCluster(data_dir, port=chosen, detached=True).start()
    pid = cluster.pid()
    known = DaemonStatus(
        running=True,
        answers=True,
        bootstrap=cluster.bootstrap,
        pid=pid,
        started_at_seconds=_process(pid).create_time(),
        data_dir=str(data_dir.absolute()),
        log=str(cluster.log()),
    )
    _file(data_dir).write_text(json.dumps(asdict(known), indent=1) + "\n")
    return known


def stop(data_dir: Path) -> bool:
    """Stops the Kafka of a folder, with SIGKILL after 15 s. Its data stay.

    Returns False if none was running.
    """
    found = status(data_dir)
    if found.running and found.pid is not None:
        process = _process(found.pid)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except _psutil().TimeoutExpired:
            process.kill()
            process.wait()
    _file(data_dir).unlink(missing_ok=True)
    return found.running


def status(data_dir: Path) -> DaemonStatus:
    """Returns whether the Kafka that `start` started for this folder runs, and answers."""
    try:
        known = DaemonStatus(**json.loads(_file(data_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return DaemonStatus(running=False, data_dir=str(data_dir.absolute()))
    if known.pid is None or known.bootstrap is None or not _is_same(known):
        return DaemonStatus(running=False, data_dir=known.data_dir, log=known.log)
    port = int(known.bootstrap.rpartition(":")[2])
    return DaemonStatus(**{**asdict(known), "answers": brokers_seen(port) > 0})


def _file(data_dir: Path) -> Path:
    return data_dir / "kafka.json"


def _is_same(known: DaemonStatus) -> bool:
    psutil = _psutil()
    try:
        process = _process(known.pid or 0)
        alive = process.status() != psutil.STATUS_ZOMBIE
        same = abs(process.create_time() - (known.started_at_seconds or 0)) < 1
        return bool(alive and same)
    except psutil.NoSuchProcess:
        return False


def _process(pid: int) -> Any:
    return _psutil().Process(pid)


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise PackagesMissingError(
            f"a local Kafka needs the package psutil: {to_install('local')}"
        ) from error
    return psutil
