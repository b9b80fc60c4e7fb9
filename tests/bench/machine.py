"""What the figures were taken on, and who used the processors meanwhile."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = (
    "byline",
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "msgspec",
    "rocksdict",
    "uvloop",
)


def facts() -> dict[str, object]:
    """Cores, processor, memory, kernel, versions."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def process_seconds(pid: int) -> float:
    """User and system seconds of a process and its children so far; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + sum(map(process_seconds, children(pid)))


def children(pid: int) -> list[int]:
    """The processes that a process has started and whose end it has not yet seen."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except (OSError, ValueError):
        return []


def memory_mb(pid: int, figure: str) -> float:
    """`VmRSS` or `VmHWM` of a process, or of its child that has more; 0 when it is gone."""
    try:
        found = re.search(rf"{figure}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    own = int(found[1]) / 1024 if found else 0.0
    return max([own, *(memory_mb(child, figure) for child in children(pid))])


def busy_seconds() -> float:
    """Processor seconds that the whole machine has been busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
