"""Keeps worker processes running as a container platform would: back-off, a record of each exit."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.grounds import ChaosSite
from tests.support.running import Running

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0)
CALM_SECONDS = 10.0


@dataclass
class Exit:
    """How a process ended; `why` is what we had done to it, or `by itself`."""

    slot: int
    code: int
    why: str
    at: float
    lived_seconds: float
    last_words: str = ""


class Slot(Running):
    """One place for a worker; what it shall be started with the next time."""

    def __init__(self, number: int, log_path: Path) -> None:
        super().__init__(log_path)
        self.number = number
        self.wanted = False
        self.started_at = 0.0
        self.failures = 0
        self.restart_at = 0.0
        self.why = self.armed = ""
        self.extra: dict[str, str] = {}
        self.lock = threading.RLock()


class Supervisor:
    """`scale` says how many shall run; `kill`, `stop` and `signal` do what faults do.

    `failpoints` hands out what a starting worker is armed with (`name:kill:hit`), or nothing.
    """

    def __init__(
        self, site: ChaosSite, environment: Mapping[str, str] | None = None, mutation: str = ""
    ) -> None:
        self.site = site
        self._mutation = mutation
        self.slots = [Slot(number, self.log(number)) for number in range(5)]
        self.exits: list[Exit] = []
        self.fired: Counter[str] = Counter()
        self.starts = 0
        self.next_failpoint = lambda: ""
        self._environment = dict(environment or {})
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def log(self, number: int) -> Path:
        """Everything the worker in this slot has said."""
        return self.site.folder / f"worker-{number}.log"

    def scale(self, count: int) -> None:
        """Run `count` workers: SIGTERM to those too many."""
        for slot in self.slots:
            with slot.lock:
                slot.wanted = slot.number < count
                slot.restart_at = 0.0
                if not slot.wanted:
                    self.signal(slot, signal.SIGTERM, "scaled")

    def running(self) -> list[Slot]:
        """Slots whose process is there."""
        return [slot for slot in self.slots if slot.pid is not None]

    def signal(self, slot: Slot, number: signal.Signals, why: str = "") -> bool:
        """Send a signal; `why` names the fault if the process should end of it."""
        with slot.lock:
            if why and slot.pid is not None:
                slot.why = why
            return slot.signal(number)

    def kill(self, slot: Slot, why: str = "kill") -> bool:
        """kill -9."""
        return self.signal(slot, signal.SIGKILL, why)

    def wait_gone(self, slot: Slot, seconds: float = 30.0) -> bool:
        """Until the process in the slot has ended."""
        deadline = time.monotonic() + seconds
        process = slot.process
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return process is None or process.poll() is not None

    def stop_all(self, seconds: float = 40.0) -> None:
        """SIGTERM to all and wait; none is started again until `scale`."""
        self.scale(0)
        for slot in self.slots:
            self.signal(slot, signal.SIGCONT)
            if not self.wait_gone(slot, seconds):
                self.kill(slot, "would not stop")
                self.wait_gone(slot)

    def close(self) -> None:
        """End everything that this supervisor started."""
        self._ending.set()
        self._thread.join()
        for slot in self.slots:
            slot.wanted = False
            self.signal(slot, signal.SIGCONT)
            self.kill(slot, "closed")
            self.wait_gone(slot)

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            for slot in self.slots:
                with slot.lock:
                    self._reap(slot)
                    due = slot.wanted and slot.process is None
                    if due and time.monotonic() >= slot.restart_at:
                        self._start(slot)

    def _reap(self, slot: Slot) -> None:
        process = slot.process
        if process is None or process.poll() is None:
            return
        lived = time.monotonic() - slot.started_at
        why = slot.why or "by itself"
        if not slot.why and process.returncode == -signal.SIGKILL and slot.armed:
            why = slot.armed
            self.fired[slot.armed.partition(":")[0]] += 1
        words = "" if process.returncode in (0, -9) else slot.last_words or _end(slot.said)
        self.exits.append(Exit(slot.number, process.returncode, why, time.time(), lived, words))
        slot.failures = 0 if lived > CALM_SECONDS else slot.failures + 1
        pause = BACKOFF_SECONDS[min(slot.failures, len(BACKOFF_SECONDS) - 1)]
        slot.restart_at = time.monotonic() + pause
        slot.process, slot.why, slot.armed = None, "", ""

    def _start(self, slot: Slot) -> None:
        self.site.prepare_disk(slot.number)
        extra = {**self._environment, **slot.extra}
        slot.armed = extra.get("BYLINE_FAILPOINT") or self.next_failpoint()
        extra["BYLINE_FAILPOINT"] = slot.armed
        slot.extra = {}
        environment = self.site.environment(slot.number, extra)
        if "LD_PRELOAD" in extra:
            command = (sys.executable, "-m", "streams", "worker")
            slot.spawn(environment, self.site.command(slot.number, *command))
        else:
            space = self.site.namespace(slot.number) if self.site.isolated else ""
            slot.fork(["worker"], environment, namespace=space, mutation=self._mutation)
        slot.started_at = time.monotonic()
        self.starts += 1


def _end(said: str) -> str:
    return "\n".join(said.splitlines()[-3:])
