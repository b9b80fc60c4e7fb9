"""Resident memory of the workers over a run, process by process."""

import threading
import time
from pathlib import Path
from typing import Any

from tests.chaos.supervisor import Supervisor

EVERY_SECONDS = 5.0
WARM_SECONDS = 300.0


class Memory:
    """Samples until `close`; a series for each process, (seconds since its start, MiB)."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.series: dict[tuple[int, int], list[tuple[float, float]]] = {}
        self._supervisor = supervisor
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(EVERY_SECONDS):
            for slot in self._supervisor.running():
                size = _resident(slot.pid)
                if size is not None and slot.pid is not None:
                    age = time.monotonic() - slot.started_at
                    self.series.setdefault((slot.number, slot.pid), []).append((age, size))

    def close(self) -> None:
        """Sample no more."""
        self._ending.set()
        self._thread.join()

    def summary(self) -> dict[str, Any]:
        """The largest seen, and of the processes that lived long how they grew after the start."""
        peak = max((size for own in self.series.values() for _, size in own), default=0.0)
        grown = []
        for (slot, _), own in self.series.items():
            warm = [size for age, size in own if age > WARM_SECONDS]
            if len(warm) >= 60:
                fifth = len(warm) // 5
                first = sum(warm[:fifth]) / fifth
                last = sum(warm[-fifth:]) / fifth
                minutes = round((own[-1][0] - WARM_SECONDS) / 60, 1)
                grown.append(
                    {
                        "worker": slot,
                        "minutes": minutes,
                        "first_mib": round(first, 1),
                        "last_mib": round(last, 1),
                        "growth_percent": round((last / first - 1) * 100, 1),
                    }
                )
        return {"peak_mib": round(peak, 1), "long_lived": grown}


def _resident(pid: int | None) -> float | None:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None
