"""Where a run happens: brokers, a network of its own, a folder and a policy set, topics.

With root each worker gets a network namespace behind a bridge and a tmpfs for its disk, so that
its cable can be pulled and its disk filled; without, those faults are left out of the schedule.
Where asked for, proxies stand between workers and brokers, and workers speak TLS.
"""

import asyncio
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import AdminClient

from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port
from streams.operate import topics
from streams.settings import Settings
from tests.chaos import tls
from tests.chaos.between import Between
from tests.tls.cluster import ADMIN, add_users, scram_listener, scram_login

POLICIES = Path(__file__).parent / "policies"
ROOT = Path(__file__).parents[2]
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Debian's package `faketime`; without it no worker's clock jumps."""
MAX_WORKERS = 5
PREFIX, APPLICATION = "byline.", "byline"
_SERIAL = itertools.count()


def run(*command: str, check: bool = True) -> str:
    """A command of the machine; its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _may_isolate() -> bool:
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        return False
    try:
        run("ip", "netns", "add", f"byc-try-{os.getpid()}")
        run("ip", "netns", "del", f"byc-try-{os.getpid()}")
    except RuntimeError:
        return False
    return True


def _free_network(preferred: int) -> int:
    """A number N so that 10.213.N.0/24 is nobody's: a run that was killed leaves its bridge."""
    taken = set(map(int, re.findall(r" 10\.213\.(\d+)\.", run("ip", "-o", "-4", "addr"))))
    numbers = ((preferred + more) % 250 + 2 for more in range(250))
    return next(number for number in numbers if number not in taken)


class ChaosSite:
    """Brokers, folders and network of one run; a context manager that leaves nothing behind.

    `wire`: proxies stand between workers and brokers. `encrypted`: workers log in over
    TLS, by SCRAM.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        brokers: int = 1,
        partitions: int = 8,
        session_seconds: float = 8.0,
        isolate: bool | None = None,
        wire: bool = False,
        encrypted: bool = False,
    ) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="chaos-"))
        self.partitions = partitions
        self.session_seconds = session_seconds
        self.isolated = _may_isolate() if isolate is None else isolate
        self.between: Between | None = None
        """The proxies, while they are there."""
        serial = next(_SERIAL)
        self._tag = f"b{os.getpid() % 100_000}x{serial}"
        self._number = _free_network(os.getpid() + 7 * serial) if self.isolated else 0
        self._host = f"10.213.{self._number}.1" if self.isolated else HOST
        self._wire, self._apart = wire, wire or encrypted or self.isolated
        self._ways = [self._way(number) for number in range(brokers)]
        self._certificates = (
            tls.make(self.folder / "tls", (self._host, HOST)) if encrypted else None
        )
        self.kafka = KafkaCluster(
            self.folder / "kafka", brokers=brokers, brief=True, config=self._config()
        )

    def _way(self, number: int) -> tuple[int, int]:
        """Of a broker the port that workers know, and the one that it listens on."""
        known = 9092 + number if self.isolated else free_port()
        return known, free_port() if self._wire else known

    def _config(self) -> dict[str, str]:
        """What makes the brokers listen apart for the workers; nothing where they need not."""
        if not self._apart:
            return {}
        speaks = "SASL_SSL" if self._certificates else "PLAINTEXT"
        protocols = f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CABLE:{speaks}"
        more = self._certificates.listener("CABLE") if self._certificates else {}
        more |= scram_listener("CABLE") if self._certificates else {}
        return {
            "listener.security.protocol.map": protocols,
            "inter.broker.listener.name": "PLAINTEXT",
            **more,
        }

    def __enter__(self) -> "ChaosSite":
        try:
            if self.isolated:
                self._lay_cables()
            if self._apart:
                self._listen_apart()
            self.kafka.start()
            if self._certificates:
                add_users(AdminClient({"bootstrap.servers": self.kafka.bootstrap}), [ADMIN])
            if self._wire:
                context = self._certificates.tls if self._certificates else None
                self.between = Between(self._host, self._ways, context)
            asyncio.run(topics.create(self.settings, self.partitions, None))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.between is not None:
            self.between.close()
            self.between = None
        # kill -9 for those that a fault's thread brought back while we were ending.
        self.kafka.stop()
        if not self.isolated:
            return
        for number in range(MAX_WORKERS):
            run("ip", "netns", "del", self.namespace(number), check=False)
            run("umount", "-l", str(self.disk(number)), check=False)
        run("ip", "link", "del", f"{self._tag}b", check=False)

    @property
    def settings(self) -> Settings:
        """Settings as seen from this side of the cables."""
        return Settings(
            kafka_bootstrap_servers=self.kafka.bootstrap, policies=POLICIES, _env_file=None
        )

    def disk(self, number: int) -> Path:
        """DATA_DIR of a worker."""
        return self.folder / f"disk-{number}"

    def namespace(self, number: int) -> str:
        """The network namespace of a worker."""
        return f"{self._tag}-{number}"

    def prepare_disk(self, number: int) -> None:
        """An empty disk, small enough to be filled where that is possible."""
        disk = self.disk(number)
        disk.mkdir(parents=True, exist_ok=True)
        if self.isolated and not os.path.ismount(disk):
            run("mount", "-t", "tmpfs", "-o", "size=400m", self._tag, str(disk))

    def command(self, number: int, *command: str) -> list[str]:
        """`command` as run in the worker's network."""
        if not self.isolated:
            return list(command)
        return ["nsenter", f"--net=/run/netns/{self.namespace(number)}", *command]

    def cable(self, number: int, *, plugged: bool) -> None:
        """Pull a worker's cable, or put it back."""
        run("ip", "link", "set", f"{self._tag}h{number}", "up" if plugged else "down")

    def environment(self, number: int, more: Mapping[str, str]) -> dict[str, str]:
        """What a worker is started with."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("BYLINE_")}
        return {
            **kept,
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap_inside(),
            "BYLINE_POLICIES": str(POLICIES),
            "BYLINE_DATA_DIR": str(self.disk(number)),
            "BYLINE_INSTANCE_ID": f"w{number}",
            "BYLINE_HTTP_PORT": str(18_080 + number),
            "BYLINE_SESSION_TIMEOUT_SECONDS": str(self.session_seconds),
            "PYTHONUNBUFFERED": "1",
            **self._trust(),
            **more,
        }

    def _trust(self) -> dict[str, str]:
        if self._certificates is None:
            return {}
        return {
            "BYLINE_KAFKA_SSL_CAFILE": str(self._certificates.authority),
            **scram_login(ADMIN),
        }

    def _bootstrap_inside(self) -> str:
        if not self._apart:
            return self.kafka.bootstrap
        return ",".join(f"{self._host}:{known}" for known, _ in self._ways)

    def _lay_cables(self) -> None:
        bridge, net = f"{self._tag}b", f"10.213.{self._number}"
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "addr", "add", f"{net}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        for number in range(MAX_WORKERS):
            space, host, guest = (
                self.namespace(number),
                f"{self._tag}h{number}",
                f"{self._tag}g{number}",
            )
            run("ip", "netns", "add", space)
            run("ip", "link", "add", host, "type", "veth", "peer", "name", guest, "netns", space)
            run("ip", "link", "set", host, "master", bridge, "up")
            inside = ("ip", "-n", space)
            run(*inside, "addr", "add", f"{net}.{number + 10}/24", "dev", guest)
            run(*inside, "link", "set", guest, "up")
            run(*inside, "link", "set", "lo", "up")

    def _listen_apart(self) -> None:
        """A second listener for the workers: on the bridge's address, or behind a proxy on it."""
        self.kafka._lay_out()
        listens = HOST if self._wire else self._host
        for node, (known, behind) in zip(self.kafka._nodes, self._ways, strict=True):
            path = node.folder / "server.properties"
            text = path.read_text()
            for name, where in (
                ("listeners", f"{listens}:{behind}"),
                ("advertised.listeners", f"{self._host}:{known}"),
            ):
                text = re.sub(rf"(?m)^({re.escape(name)}=.*)$", rf"\1,CABLE://{where}", text)
            path.write_text(text)
