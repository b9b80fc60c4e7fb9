"""A stand-in for systemd: the units of deploy/systemd as processes of this machine.

Only `systemctl start|stop|restart|kill` and `journalctl -u UNIT -n N` are there. A worker has the
settings of /etc/byline/byline.env, the name and the data folder that its unit gives it. Unlike
systemd, `start` waits until the worker serves or has ended, so that the next command sees it; and
what has ended is not started again by itself.
"""

import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.running import ShippedWorker
from tests.support.zygote import ROOT

READY_SECONDS = 90


class Unit(ShippedWorker):
    """`byline-worker@N`, `byline-index` or `byline-auditor`."""

    def __init__(
        self, name: str, log_path: Path, environment: Callable[[], dict[str, str]]
    ) -> None:
        super().__init__(log_path)
        self.name, self._environment = name, environment
        self.code_folder = ROOT
        """Whose code it runs; another one is another version."""
        kind, _, number = name.removeprefix("byline-").partition("@")
        self.is_worker, self.folder = kind == "worker", f"worker-{number}" if number else kind
        self.words = {
            "worker": ["worker"],
            "index": ["index", "--follow"],
            "auditor": ["audit", "--follow", "--port", str(self.port)],
        }[kind]

    def start(self) -> None:
        """Start it unless it runs; a worker is waited for."""
        if self.pid is not None:
            return
        environment = self._environment()
        own = {
            "BYLINE_INSTANCE_ID": f"host-1-{self.folder}",
            "BYLINE_DATA_DIR": str(Path(environment["BYLINE_DATA_DIR"]).parent / self.folder),
            "BYLINE_HTTP_PORT": str(self.port),
        }
        if self.code_folder == ROOT:
            self.fork(self.words, environment | own)
        else:
            other = environment | own | {"PYTHONPATH": str(self.code_folder)}
            command = [sys.executable, "-m", "streams", *self.words]
            self.spawn(other, command, folder=self.code_folder)

    def settle(self) -> None:
        """Until it serves, or has ended."""
        deadline = time.monotonic() + READY_SECONDS
        while self.pid is not None and time.monotonic() < deadline:
            if not self.is_worker or self.page("/readyz")[0] == 200:
                return
            time.sleep(0.2)


def _restart(unit: Unit) -> None:
    unit.end(45)
    unit.start()


class Units:
    """All units of a ground, by name."""

    def __init__(self, logs: Path, environment: Callable[[], dict[str, str]]) -> None:
        self._logs, self._environment = logs, environment
        self.all: dict[str, Unit] = {}

    def __getitem__(self, name: str) -> Unit:
        name = name.removesuffix(".service")
        if name not in self.all:
            self.all[name] = Unit(name, self._logs / f"{name}.log", self._environment)
        return self.all[name]

    def run(self, line: str) -> tuple[int, str]:
        """Do what a line of `systemctl` or `journalctl` says: exit code and output."""
        program, *words = shlex.split(line)
        if program == "journalctl":
            return self._journal(words)
        verb, *names = words
        acts: Mapping[str, Callable[[Unit], object]] = {
            "start": Unit.start,
            "stop": lambda unit: unit.end(45),
            "restart": _restart,
            "kill": Unit.kill,
        }
        for name in names:
            acts[verb](self[name])
        if verb in ("start", "restart"):
            for name in names:
                self[name].settle()
        return 0, ""

    def _journal(self, words: list[str]) -> tuple[int, str]:
        name = words[words.index("-u") + 1]
        count = int(words[words.index("-n") + 1])
        return 0, "\n".join(self[name].said.splitlines()[-count:])

    def close(self) -> None:
        """End all that runs."""
        for unit in self.all.values():
            unit.end(20)
