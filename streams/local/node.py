"""One Kafka process: formats its storage, starts it and ends it."""

import base64
import ctypes
import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.local.errors import BrokerFailedError
from streams.local.jars import class_path, java
from streams.local.loaded_classes import cache_options

STOP_TIMEOUT_SECONDS = 15.0
PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 15
BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""JVM options without Java's second compiler, which takes half of the processor time of a broker's
first minutes. A broker that lives longer is slower with them."""


@dataclass
class Node:
    """A Kafka broker and controller in one process, with its files in `folder`.

    `tied`: it ends together with this process. `brief`: use the JVM options of `brief()`.
    """

    folder: Path
    port: int
    controller_port: int
    heap_megabytes: int
    tied: bool
    brief: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file with the output of the process: warnings and errors."""
        return self.folder / "kafka.log"

    @property
    def data(self) -> Path:
        """The folder of its partitions."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The process id; raises BrokerFailedError if it does not run."""
        if self.process is None or self.process.poll() is not None:
            raise BrokerFailedError(f"the broker of {self.folder} is not running")
        return self.process.pid

    def running(self) -> bool:
        """Whether the process exists; it may be frozen."""
        return self.process is not None and self.process.poll() is None

    def configure(self, properties: dict[str, str]) -> None:
        """Writes `server.properties`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        (self.folder / "server.properties").write_text("".join(lines))

    def spawn(self) -> None:
        """Starts the process unless it runs; formats its storage the first time."""
        if self.running():
            return
        if not (self.data / "meta.properties").exists():
            self._format()
        options = [f"-Xmx{self.heap_megabytes}m", "-XX:+ExitOnOutOfMemoryError"]
        options += brief() if self.brief else ()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [*_java(options), "kafka.Kafka", str(self.folder / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_tie() if self.tied else None,
            )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process if it runs."""
        if self.running():
            os.kill(self.pid, number)

    def end(self, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """Waits until the process has ended; kills it with SIGKILL after the time-out."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self) -> str:
        """Returns the last lines of the log, and its path."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([*lines[-LOG_TAIL_LINES:], f"(all of it: {self.log})"])

    def _format(self) -> None:
        properties = str(self.folder / "server.properties")
        cluster = _cluster_id(self.folder.parent)
        arguments = ["format", "--cluster-id", cluster, "--config", properties]
        done = subprocess.run(  # noqa: S603
            [*_java(brief()), "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        if done.returncode:
            raise BrokerFailedError(f"cannot format {self.folder}:\n{done.stdout}{done.stderr}")


def brief() -> list[str]:
    """Returns the JVM options of a process that lives for minutes: `BRIEF`, and the cache of loaded
    classes where it exists."""
    return [*BRIEF, *cache_options(class_path())]


def _cluster_id(folder: Path) -> str:
    """Returns the cluster id of a folder. It begins with a letter, because Kafka's tools would take
    a leading dash for an option."""
    digest = hashlib.sha256(str(folder).encode()).digest()[:15]
    return base64.urlsafe_b64encode(b"b" + digest).decode()[:22]


def _tie() -> Callable[[], None] | None:
    """Returns a function for the child process that makes the kernel kill it when this process
    ends. None outside of the main thread, because the kernel watches the thread that started it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    library = ctypes.CDLL(None)

    def tie() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return tie


def _java(options: Sequence[str]) -> list[str]:
    """Returns the command that runs a class of Kafka, which logs only warnings, to stdout."""
    logging = ["defaultLogLevel=warn", "showDateTime=true", "logFile=System.out"]
    return [
        str(java()),
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        *options,
        *(f"-Dorg.slf4j.simpleLogger.{setting}" for setting in logging),
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "-cp",
        ":".join(map(str, class_path())),
    ]
