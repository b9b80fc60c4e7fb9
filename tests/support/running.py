"""A program in a process of a test: the one way to start, await, fault and stop it.

`Running` is any program; `ShippedWorker` is `byline worker`, with its pages. Rooms add what their
workers are started with: an estate's settings (tests/worker), a toy's (tests/engine), a site's
networks and disks (tests/chaos).
"""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streams.local.probe import free_port
from tests.support import processes
from tests.support.zygote import BYLINE, ROOT, Child, Zygote, ZygoteOrder

LAST_WORDS = "worker stops"
"""What a worker's last line begins with, where it ends by itself."""


class Running:
    """One program with a log of its own; it may be started again and again."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        """All that it wrote, over all its starts."""
        self.process: subprocess.Popen[bytes] | Child | None = None

    def fork(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        program: str = BYLINE,
        zygote: Zygote | None = None,
        namespace: str = "",
        mutation: str = "",
    ) -> None:
        """Start it from a process that has the imports; without `zygote` the session's own."""
        log = str(self.log_path)
        order = ZygoteOrder(
            program,
            list(arguments),
            dict(environment),
            log,
            log,
            namespace=namespace,
            mutation=mutation,
        )
        self.process = (zygote or processes.session_zygote()).start(order)

    def spawn(
        self,
        environment: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-m", "streams", "worker"),
        *,
        folder: Path = ROOT,
        output: int | None = None,
    ) -> None:
        """Start it in the ordinary way; `output` is a descriptor in place of the log."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log if output is None else output,
                cwd=folder,
            )

    @property
    def code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs, or was never started."""
        return None if self.process is None else self.process.poll()

    @property
    def pid(self) -> int | None:
        """Of the running process, None when there is none."""
        process = self.process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def said(self) -> str:
        """The text of its log."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def last_words(self) -> str:
        """The sentence that it ended with; empty where it said none."""
        lines = self.said.splitlines()
        return next((it for it in reversed(lines[-200:]) if it.startswith(LAST_WORDS)), "")

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; whether there was a process to get it."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(number)
        return True

    def ended(self, seconds: float) -> int:
        """Its exit code, once it has ended. Raises `subprocess.TimeoutExpired`."""
        assert self.process is not None, "it was never started"
        return self.process.wait(seconds)

    def kill(self) -> None:
        """kill -9, and wait."""
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM; its exit code. Raises `subprocess.TimeoutExpired`."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def end(self, seconds: float = 30) -> None:
        """SIGTERM, and kill -9 when that is not enough; nothing where nothing runs."""
        if self.pid is not None:
            try:
                self.stop(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def is_gone(self, seconds: float) -> bool:
        """Wait for its end, without a complaint when it goes on."""
        deadline = time.monotonic() + seconds
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.pid is None


class ShippedWorker(Running):
    """`byline worker`, with its pages at `port`."""

    def __init__(self, log_path: Path, port: int | None = None) -> None:
        super().__init__(log_path)
        self.port = free_port() if port is None else port

    def page(self, path: str) -> tuple[int, str]:
        """A page of its site: status and text; status 0 when it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> dict[str, Any]:
        """What it says of itself; empty when it does not answer."""
        status, text = self.page("/readyz")
        found: dict[str, Any] = json.loads(text) if status in (200, 503) else {}
        return found

    def partitions(self) -> list[dict[str, Any]]:
        """What it says of its partitions."""
        return list(self.ready().get("partitions", ()))

    def served(self) -> list[int]:
        """The partitions that it runs."""
        return [it["partition"] for it in self.partitions() if it["state"] == "running"]
