"""A real Kafka on this machine: one broker for the demo and most tests, or three.

Each node is broker and controller (KRaft), on the loopback interface. All its files are under
`data_dir`: `broker-1/server.properties`, `broker-1/data`, `broker-1/kafka.log`, …
"""

import atexit
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.local.errors import BrokerFailedError, PortBusyError
from streams.local.node import STOP_TIMEOUT_SECONDS, Node
from streams.local.probe import HOST, brokers_seen, free_port, is_free
from streams.local.properties import server_properties

START_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass
class KafkaCluster:
    """Kafka 4.2.0 in `brokers` processes; as a context manager it starts and stops them.

    `port`: of the first broker, None means a free one; the others always get free ones. `detached`:
    the brokers outlive this process. `brief`: use less processor time at the start and be slower
    later, for a life of minutes. `config`: further settings for server.properties. With three
    brokers all topics have three replicas of which two must be in sync, so any one broker may be
    killed. Brokers are numbered from 0. A restarted broker keeps its port and data.
    """

    data_dir: Path
    brokers: int = 1
    port: int | None = None
    heap_megabytes: int = 512
    detached: bool = False
    brief: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    _nodes: list[Node] = field(default_factory=list, init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        """`host:port` of every broker, for clients; empty before `start`."""
        return ",".join(f"{HOST}:{node.port}" for node in self._nodes)

    def pid(self, broker: int = 0) -> int:
        """Returns the process id of a broker. Raises BrokerFailedError if it does not run."""
        return self._nodes[broker].pid

    def running(self, broker: int = 0) -> bool:
        """Whether the process of this broker exists; it may be frozen."""
        return bool(self._nodes) and self._nodes[broker].running()

    def log(self, broker: int = 0) -> Path:
        """Returns the file with this broker's warnings and errors."""
        return self._nodes[broker].log

    def start(self) -> Self:
        """Starts every broker that does not run. Returns when all of them answer.

        It takes 3–5 s for one broker (plus a download the first time), three times that for three.

        Raises:
            PortBusyError: the port is taken.
            JarsUnresolvedError, PackagesMissingError: Kafka's jars or Java are missing.
            BrokerFailedError: a broker does not start, with the end of its log.
        """
        if not self._nodes:
            self._lay_out()
        try:
            for node in self._nodes:
                node.spawn()
            self.wait()
        except BaseException:
            self._kill_all()
            raise
        return self

    def stop(self) -> None:
        """Sends SIGTERM to all brokers, and SIGKILL to those that still run after 15 s."""
        for node in self._nodes:
            node.signal(signal.SIGCONT)
            node.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for node in self._nodes:
            node.end(max(0.0, deadline - time.monotonic()))

    def kill(self, broker: int = 0) -> None:
        """Kills a broker with SIGKILL."""
        self._nodes[broker].signal(signal.SIGKILL)
        self._nodes[broker].end()

    def freeze(self, broker: int = 0) -> None:
        """Freezes a broker with SIGSTOP: it keeps its connections but does not answer."""
        self._nodes[broker].signal(signal.SIGSTOP)

    def thaw(self, broker: int = 0) -> None:
        """Continues a frozen broker with SIGCONT."""
        self._nodes[broker].signal(signal.SIGCONT)

    def start_broker(self, broker: int = 0, *, wait: bool = True) -> None:
        """Starts one broker again. `wait`: return when all running brokers see each other.

        After SIGKILL that takes 3 s longer, until the broker's old registration has expired.
        """
        self._nodes[broker].spawn()
        if wait:
            self.wait()

    def restart(self, broker: int = 0, *, hard: bool = False) -> None:
        """Stops one broker with SIGTERM (`hard`: SIGKILL), and starts it again."""
        self._nodes[broker].signal(signal.SIGKILL if hard else signal.SIGTERM)
        self._nodes[broker].end()
        self.start_broker(broker)

    def wait(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Waits until every running broker answers and sees all the others.

        Raises:
            BrokerFailedError: one ends, none runs, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        alive = [node for node in self._nodes if node.running()]
        if not alive:
            raise BrokerFailedError("no broker is running")
        waiting = list(alive)
        while waiting:
            for node in waiting:
                if not node.running():
                    raise BrokerFailedError(f"Kafka ended as it started:\n{node.tail()}")
            waiting = [node for node in waiting if brokers_seen(node.port) < len(alive)]
            if waiting and time.monotonic() > deadline:
                raise BrokerFailedError(
                    f"Kafka does not answer on port {waiting[0].port} after"
                    f" {timeout_seconds:.0f} s:\n{waiting[0].tail()}"
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
            raise PortBusyError(
                f"port {self.port} is taken: stop what listens there, or name another (--port)"
            )
        ports = [(free_port(), free_port()) for _ in range(self.brokers)]
        if self.port is not None:
            ports[0] = (self.port, ports[0][1])
        for broker, own in enumerate(ports):
            folder = self.data_dir.absolute() / f"broker-{broker + 1}"
            tied = not self.detached
            node = Node(folder, *own, self.heap_megabytes, tied, self.brief)
            node.configure(server_properties(broker, ports, node.data, self.config))
            self._nodes.append(node)
        if not self.detached:
            atexit.register(self._kill_all)

    def _kill_all(self) -> None:
        for broker in range(len(self._nodes)):
            self.kill(broker)
