"""A peer or a worker as a process: started, measured, ended."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.machine import memory_mb, process_seconds

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 25.0


class Process:
    """One process with its log; `whole_seconds` is known once it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        code: Path = ROOT,
    ) -> None:
        self.log = log
        self.started_at = time.time()
        self.code: int | None = None
        self.whole_seconds = 0.0
        self.peak_mb = 0.0
        kept = {name: text for name, text in os.environ.items() if not name.startswith("BYLINE_")}
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                env={**kept, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(code), **environment},
                cwd=code,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs; takes its accounts when it does not any more."""
        if self.code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.code = self._process.returncode = os.waitstatus_to_exitcode(status)
                self.whole_seconds = usage.ru_utime + usage.ru_stime
        return self.code is None

    def require(self) -> None:
        """Raise RuntimeError with the end of its log when it has ended."""
        if not self.alive():
            raise RuntimeError(f"{self.log.name} ended with {self.code}:\n{self.tail()}")

    def seconds(self) -> float:
        """Processor seconds so far, of user and system."""
        return self.whole_seconds if not self.alive() else process_seconds(self.pid)

    def resident_mb(self) -> float:
        """Resident memory now."""
        return memory_mb(self.pid, "VmRSS")

    def high_water_mb(self) -> float:
        """The most resident memory that any look has found; the kernel keeps it between looks.

        The kernel's account of an ended process (`ru_maxrss`) counts this one too, before `exec`.
        """
        if self.alive():
            self.peak_mb = max(self.peak_mb, memory_mb(self.pid, "VmHWM"))
        return self.peak_mb

    def said(self, pattern: str) -> re.Match[str] | None:
        """The first place in its log that matches."""
        return re.search(pattern, self.log.read_text(errors="replace"))

    def tail(self, characters: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:]

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it: the signal, and SIGKILL when it is not enough."""
        if self.alive():
            os.kill(self.pid, with_signal)
        deadline = time.monotonic() + STOP_SECONDS
        while self.alive():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)
