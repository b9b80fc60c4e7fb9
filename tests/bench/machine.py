"""What the figures were taken on, and who used the processors meanwhile."""

import os
import platform
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
    """User and system seconds of a process so far; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def busy_seconds() -> float:
    """Processor seconds that the whole machine has been busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
