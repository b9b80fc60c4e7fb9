"""What the faults of start and login are tried on: a guarded Kafka, files, and ports of others."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from streams.operate.acl import Permission, permissions
from streams.settings import Settings
from tests.support import processes
from tests.tls.certificates import Authority
from tests.tls.cluster import GuardedKafka

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 180
OBEY_MODES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Before a command of root's: files that nobody may read are not read by it, either."""


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """How a command ended: exit code, seconds from its start, and what it said at the end.

    Python's own start, two seconds of a processor, is not in it. `busy`: how many processes shared
    one of the machine's processors meanwhile, at least 1.
    """

    code: int
    seconds: float
    busy: float
    sentence: str
    traced: bool


@dataclass
class FaultGround:
    """`kafka` with every right granted, and the files and ports that faults are made of."""

    kafka: GuardedKafka
    folder: Path
    ports: dict[str, int]
    rights: list[Permission] = field(default_factory=list)

    def environment(self, user: str, more: Mapping[str, str]) -> dict[str, str]:
        """A good login as `user`, with `more` on top; an empty value takes a setting away."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BYLINE_")}
        settings = {
            **self.kafka.environment(user),
            "BYLINE_DATA_DIR": str(self.folder / "data"),
            "BYLINE_START_TIMEOUT_SECONDS": "5",
            "BYLINE_HTTP_PORT": "18080",
            **more,
        }
        kept = {name: value for name, value in settings.items() if value}
        return {**inherited, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", **kept}

    def file(self, name: str, content: bytes = b"", mode: int = 0o644) -> str:
        """A file with this in it."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def pipe(self, name: str) -> str:
        """A named pipe that nobody writes to."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.mkfifo(path)
        return str(path)

    def policies_with(self, name: str) -> Path:
        """A folder of policies: the shipped ones, for a fault to be added."""
        folder = self.folder / name
        if not folder.exists():
            shutil.copytree(ROOT / "deploy" / "policies", folder)
        return folder


@contextmanager
def guarded(folder: Path) -> Iterator[GuardedKafka]:
    """A Kafka on which each role has the rights that `byline topics acl` prints."""
    rights = permissions(Settings())
    with GuardedKafka(folder, tuple(sorted({it.role for it in rights})), brief=True) as kafka:
        kafka.allow(rights)
        yield kafka


@contextmanager
def ground(kafka: GuardedKafka, folder: Path) -> Iterator[FaultGround]:
    """All of it, for as long as it is needed, with the topics made."""
    with _ports() as ports:
        made = FaultGround(kafka, folder, ports, permissions(Settings()))
        done = run(made, "administrator", {}, "topics", "create", "--partitions", "2")
        if done.code:
            raise RuntimeError(done.sentence)
        yield made


def run(
    on: FaultGround,
    user: str,
    more: Mapping[str, str],
    *words: str,
    obey_modes: bool = False,
    text: str = "",
) -> FaultOutcome:
    """A `byline` command as a process of its own."""
    environment = on.environment(user, more)
    began = time.monotonic()
    if obey_modes and os.geteuid() == 0:
        process = subprocess.run(
            [*OBEY_MODES, sys.executable, "-m", "streams", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=on.folder,
            timeout=LIMIT_SECONDS,
        )
    else:
        process = processes.run(words, environment, text, LIMIT_SECONDS, on.folder)
    seconds = time.monotonic() - began
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    said = process.stderr + ("" if process.stderr.strip() else process.stdout)
    traced = "Traceback" in process.stderr + process.stdout
    return FaultOutcome(process.returncode, seconds, busy, sentence(said), traced)


def sentence(said: str) -> str:
    """The last words of a worker, or all that a command said, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = [line for line in lines if line.startswith("worker stops (")]
    return last[-1].partition(": ")[2] if last else " ".join(lines)


class _Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def _ports() -> Iterator[dict[str, int]]:
    """A web server, a port that takes connections and says nothing, and one of nobody."""
    web = HTTPServer(("127.0.0.1", 0), _Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield {
            "web": web.server_port,
            "silent": silent.getsockname()[1],
            "nobody": nobody.getsockname()[1],
        }
    web.shutdown()


def certificates(on: FaultGround) -> dict[str, str]:
    """Files of certificates, each with its own fault."""
    authority = on.kafka.authority
    other = Authority(on.folder / "certificates-of-others", "other-authority")
    over = authority.issue("over", begins=timedelta(days=-9), ends=timedelta(days=-1))
    mine, theirs = on.kafka.client, authority.issue("theirs")
    return {
        "certfile": str(mine.certfile),
        "keyfile": str(mine.keyfile),
        "other_keyfile": str(theirs.keyfile),
        "locked": str(mine.locked(on.folder / "locked.key", "open-sesame")),
        "over": str(over.certfile),
        "over_key": str(over.keyfile),
        "other_ca": str(other.cafile),
        "stranger": str(other.issue("stranger").certfile),
        "stranger_key": str(other.issue("stranger").keyfile),
    }
