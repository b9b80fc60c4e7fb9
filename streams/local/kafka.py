"""A real Kafka on this machine: one broker for the demo and the tests, or three for the chaos.

Each node is broker and controller at once (KRaft) on the loopback. Everything it writes is under
`data_dir`: `broker-1/server.properties`, `broker-1/data`, `broker-1/kafka.log`, …
"""

import atexit
import base64
import ctypes
import hashlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.local.errors import BrokerFailed, PortBusy
from streams.local.jars import class_path, java
from streams.local.probe import HOST, brokers_seen, free_port, is_free

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 15


@dataclass
class _Node:
    folder: Path
    port: int
    controller_port: int
    process: subprocess.Popen[bytes] | None = None


@dataclass
class KafkaCluster:
    """Kafka 4.1.1 as `brokers` processes; also a context manager that starts and stops it.

    `port`: of the first broker; None takes a free one, also for the others. `detached`: outlive
    this process. `config`: further lines for server.properties. With three brokers everything is
    replicated three times and needs two in sync, so that any one may be killed.
    """

    data_dir: Path
    brokers: int = 1
    port: int | None = None
    heap_megabytes: int = 512
    detached: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    _nodes: list[_Node] = field(default_factory=list, init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        """`host:port` of every broker, for clients; known from start() on."""
        return ",".join(f"{HOST}:{node.port}" for node in self._nodes)

    def pid(self, broker: int = 0) -> int:
        """The process id of a running broker (0, 1, …); BrokerFailed when it does not run."""
        process = self._nodes[broker].process if self._nodes else None
        if process is None or process.poll() is not None:
            raise BrokerFailed(f"broker {broker} is not running")
        return process.pid

    def running(self, broker: int = 0) -> bool:
        """Whether the process of this broker is there (it may be frozen)."""
        process = self._nodes[broker].process if self._nodes else None
        return process is not None and process.poll() is None

    def log(self, broker: int = 0) -> Path:
        """The file with this broker's warnings and errors."""
        return self._nodes[broker].folder / "kafka.log"

    def start(self) -> Self:
        """Start every broker that does not run; return when all of them answer.

        2–5 s (and a download on the very first time). Raises PortBusy, JarsUnresolved,
        PackagesMissing or BrokerFailed, the latter with the end of Kafka's log.
        """
        if not self._nodes:
            self._lay_out()
        for broker in range(self.brokers):
            self._spawn(broker)
        self.wait()
        return self

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to those that are still there after 15 s."""
        for broker in range(len(self._nodes)):
            if self.running(broker):
                self.thaw(broker)
                os.kill(self.pid(broker), signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for broker, node in enumerate(self._nodes):
            if node.process is None:
                continue
            try:
                node.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill(broker)

    def kill(self, broker: int = 0) -> None:
        """kill -9, at once and without a word to anybody."""
        process = self._nodes[broker].process
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self, broker: int = 0) -> None:
        """SIGSTOP: the broker holds its connections and answers nothing."""
        os.kill(self.pid(broker), signal.SIGSTOP)

    def thaw(self, broker: int = 0) -> None:
        """SIGCONT after freeze()."""
        os.kill(self.pid(broker), signal.SIGCONT)

    def start_broker(self, broker: int = 0, *, wait: bool = True) -> None:
        """Start one broker again on its own port and data."""
        self._spawn(broker)
        if wait:
            self.wait()

    def restart(self, broker: int = 0, *, hard: bool = False) -> None:
        """Stop (`hard`: kill -9) one broker and start it on the same port and data."""
        if hard:
            self.kill(broker)
        elif self.running(broker):
            process = self._nodes[broker].process
            assert process is not None
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill(broker)
        self.start_broker(broker)

    def wait(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Return when every running broker answers and sees all the running ones."""
        deadline = time.monotonic() + timeout_seconds
        alive = [broker for broker in range(len(self._nodes)) if self.running(broker)]
        waiting = list(alive)
        while waiting:
            for broker in waiting:
                process = self._nodes[broker].process
                if process is None or process.poll() is not None:
                    raise BrokerFailed(
                        f"broker {broker} ended as it started:\n{self._tail(broker)}"
                    )
            waiting = [b for b in waiting if brokers_seen(self._nodes[b].port) < len(alive)]
            if waiting and time.monotonic() > deadline:
                raise BrokerFailed(
                    f"broker {waiting[0]} does not answer after {timeout_seconds:.0f} s:\n"
                    + self._tail(waiting[0])
                )
            time.sleep(POLL_SECONDS if waiting else 0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _lay_out(self) -> None:
        if self.port is not None and not is_free(self.port):
            raise PortBusy(
                f"port {self.port} is taken: stop what listens there, or name another (--port)"
            )
        ports = [free_port() for _ in range(2 * self.brokers)]
        if self.port is not None:
            ports[0] = self.port
        for number in range(self.brokers):
            folder = self.data_dir.absolute() / f"broker-{number + 1}"
            folder.mkdir(parents=True, exist_ok=True)
            self._nodes.append(_Node(folder, ports[number], ports[self.brokers + number]))
        for number, node in enumerate(self._nodes):
            lines = [f"{name}={value}\n" for name, value in self._properties(number).items()]
            (node.folder / "server.properties").write_text("".join(lines))
        if not self.detached:
            atexit.register(self._end_all)

    def _properties(self, broker: int) -> dict[str, str]:
        from streams.local.properties import server_properties

        return server_properties(
            broker,
            [(node.port, node.controller_port) for node in self._nodes],
            self._nodes[broker].folder / "data",
            self.config,
        )

    def _spawn(self, broker: int) -> None:
        if self.running(broker):
            return
        node = self._nodes[broker]
        if not (node.folder / "data" / "meta.properties").exists():
            self._format(broker)
        options = [f"-Xmx{self.heap_megabytes}m", "-XX:+ExitOnOutOfMemoryError"]
        with (node.folder / "kafka.log").open("ab") as log:
            node.process = subprocess.Popen(  # noqa: S603
                [*_java(options), "kafka.Kafka", str(node.folder / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=node.folder,
                start_new_session=True,
                preexec_fn=self._tie(),
            )

    def _format(self, broker: int) -> None:
        node = self._nodes[broker]
        properties = str(node.folder / "server.properties")
        arguments = ["format", "--cluster-id", self._cluster_id(), "--config", properties]
        done = subprocess.run(  # noqa: S603
            [*_java(["-XX:TieredStopAtLevel=1"]), "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=node.folder,
        )
        if done.returncode:
            raise BrokerFailed(f"cannot format {node.folder}:\n{done.stdout}{done.stderr}")

    def _cluster_id(self) -> str:
        digest = hashlib.sha256(str(self.data_dir.absolute()).encode()).digest()[:15]
        return base64.urlsafe_b64encode(b"b" + digest).decode()[:22]

    def _tie(self) -> Callable[[], None] | None:
        """Let the kernel end the broker with us, even by kill -9. The tie is to a thread: only
        the main one lives as long as the process does."""
        if self.detached or threading.current_thread() is not threading.main_thread():
            return None
        library = ctypes.CDLL(None)

        def tie() -> None:
            library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        return tie

    def _tail(self, broker: int) -> str:
        lines = self.log(broker).read_text(errors="replace").splitlines()
        return "\n".join([*lines[-LOG_TAIL_LINES:], f"(all of it: {self.log(broker)})"])

    def _end_all(self) -> None:
        for broker in range(len(self._nodes)):
            self.kill(broker)


def _java(options: list[str]) -> list[str]:
    """The command that runs a class of Kafka: quiet but for warnings, which go to the output."""
    logging = ["defaultLogLevel=warn", "showDateTime=true", "logFile=System.out"]
    return [
        str(java()),
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        *options,
        *(f"-Dorg.slf4j.simpleLogger.{setting}" for setting in logging),
        "-cp",
        ":".join(map(str, class_path())),
    ]
