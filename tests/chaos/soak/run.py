"""One soak: Kafka, two workers, traffic; one of them is restarted again and again."""

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.topics import OUTPUTS, TopicNames
from streams.local.kafka import KafkaCluster
from tests.chaos.soak.outputs import Outputs
from tests.chaos.soak.samples import Growth, Sample, floors, growth, look
from tests.chaos.soak.traffic import Traffic
from tests.worker.harness import Estate, Worker

POLICIES = Path(__file__).parent / "policies"
SAMPLE_SECONDS = 2.0
PARTITIONS = 8
SETTLED_SECONDS = 30.0
"""What a worker takes so soon after a restart, its own or the other's, is not compared."""

HTTP_OK = 200
PAGES = ("/metrics", "/readyz", "/healthz")


@dataclass(frozen=True)
class Plan:
    """How long, how fast, how often; `steady` is where the part begins that is judged (minutes)."""

    minutes: float = 45.0
    rate: float = 2_000.0
    every: float = 5.0
    steady: float = 10.0


class Life:
    """A worker over its processes: what each of them takes."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.samples: list[Sample] = []
        self.unplanned: list[tuple[float, int]] = []
        """When a process ended by itself, and its exit code."""
        self.life, self._started_at, self._log_base = -1, 0.0, 0
        self._ready = False

    def start(self) -> None:
        """A new process on the same folder."""
        self._log_base = self.worker.log.stat().st_size if self.worker.log.exists() else 0
        self.worker.start()
        self.life += 1
        self._ready = False
        self._started_at = time.monotonic()

    def sample(self, began: float) -> None:
        """Look at it, and at its pages, as Prometheus and a supervisor do."""
        process = self.worker.process
        assert process is not None
        if process.poll() is not None:
            # As a supervisor does; the machine may be too busy for its time limits.
            self.unplanned.append((round(time.monotonic() - began, 1), process.returncode))
            self.start()
            return
        now = time.monotonic()
        pages = {page: self.worker.page(page)[0] for page in PAGES}
        if not self._ready and pages["/readyz"] != HTTP_OK:
            return
        if not self._ready:
            # What it takes while it starts is not compared, however long that is.
            self._ready, self._started_at = True, now
        taken = look(
            process.pid,
            self.worker.folder / f"data-{self.worker.number}",
            now - began,
            self.life,
            now - self._started_at,
            self.worker.log.stat().st_size - self._log_base,
        )
        if taken is not None:
            self.samples.append(taken)


Keep = Callable[[dict[str, Any]], None]


def perform(plan: Plan, keep: Keep) -> dict[str, Any]:
    """Do it; the result as JSON. `keep` takes what there is, again and again."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with KafkaCluster(folder / "kafka") as kafka:
            estate = Estate(
                kafka.bootstrap,
                TopicNames("byline.", "byline"),
                POLICIES,
                folder,
                PARTITIONS,
                {"BYLINE_LOG_FORMAT": "json"},
            ).create_topics()
            try:
                return _soak(plan, estate, keep)
            finally:
                estate.stop()


def _soak(plan: Plan, estate: Estate, keep: Keep) -> dict[str, Any]:
    lives = [
        Life(Worker(number, estate.environment, estate.folder, forked=False)) for number in range(2)
    ]
    estate.workers = [life.worker for life in lives]
    for life in lives:
        life.start()
    estate.wait_ready(180)
    traffic = Traffic(estate.bootstrap, estate.names.prefix, plan.rate)
    topics = [estate.names.of(topic) for topic in OUTPUTS]
    outputs = Outputs(estate.bootstrap, topics, PARTITIONS, traffic.hear)
    try:
        traffic.start()
        began = time.monotonic()
        restarts: list[tuple[float, str]] = []

        def keep_so_far() -> None:
            keep(_result(plan, lives, restarts, traffic, outputs))

        _watch(plan, lives, began, restarts, keep_so_far)
        traffic.stop()
        estate.drain()
        time.sleep(5.0)
    finally:
        outputs.close()
    for life in lives:
        life.worker.stop()
    return _result(plan, lives, restarts, traffic, outputs)


def _watch(
    plan: Plan,
    lives: list[Life],
    began: float,
    restarts: list[tuple[float, str]],
    keep_so_far: Callable[[], None],
) -> None:
    """Sample until the time is over, and restart the second worker: told to stop, then killed."""
    while (now := time.monotonic() - began) < plan.minutes * 60:
        if now >= (len(restarts) + 1) * plan.every * 60 and plan.minutes * 60 - now > 60:
            how = ("stopped", "killed")[len(restarts) % 2]
            restarts.append((round(now, 1), how))
            restarted = lives[1]
            if how == "killed":
                restarted.worker.kill()
            else:
                restarted.worker.stop()
            restarted.start()
            kib = [life.samples[-1].resident_kib for life in lives]
            print(f"{now / 60:5.1f} min: {how}; resident {kib} KiB", flush=True)
            if now > (plan.steady + plan.every) * 60:
                keep_so_far()
        for life in lives:
            life.sample(began)
        time.sleep(SAMPLE_SECONDS)


FIGURES: dict[str, Callable[[Sample], float]] = {
    "resident_kib": lambda one: one.resident_kib,
    "descriptors": lambda one: one.descriptors,
    "threads": lambda one: one.threads,
    "log_bytes": lambda one: one.log_bytes,
    "disk_files": lambda one: one.disk_files,
    "disk_bytes": lambda one: one.disk_bytes,
}


def _result(
    plan: Plan,
    lives: list[Life],
    restarts: list[tuple[float, str]],
    traffic: Traffic,
    outputs: Outputs,
) -> dict[str, Any]:
    turns = [at for at, _ in (*restarts, *(turn for life in lives for turn in life.unplanned))]
    found = {
        name: growths(plan, life.samples, turns, name == "restarted" or bool(life.unplanned))
        for name, life in zip(("goes on", "restarted"), lives, strict=True)
    }
    return {
        "plan": plan.__dict__,
        "restarts": restarts,
        "unplanned": [life.unplanned for life in lives],
        "inputs": dict(traffic.sent),
        "inputs_a_second": round(sum(traffic.sent.values()) / traffic.seconds, 1),
        "events": dict(outputs.events),
        "events_twice": outputs.order.twice,
        "accounts_with_a_gap": outputs.order.missing,
        "peak_resident_mib": {
            name: round(max(one.resident_kib for one in life.samples) / 1024, 1)
            for name, life in zip(("goes on", "restarted"), lives, strict=True)
        },
        "growth": {
            name: {figure: one.__dict__ for figure, one in own.items()}
            for name, own in found.items()
        },
        "log_bytes_an_hour": _log_an_hour(plan, lives),
        "log_bytes_by_stretch": _log_by_stretch(plan, lives[0].samples),
        "log_lines": _log_lines(lives),
        "samples": {
            name: [one.as_dict() for one in life.samples[::5]]
            for name, life in zip(("goes on", "restarted"), lives, strict=True)
        },
    }


def growths(
    plan: Plan, samples: list[Sample], turns: list[float], restarted: bool
) -> dict[str, Growth]:
    """How each figure rises over the steady part; `turns`: when a process ended."""

    def calm(one: Sample) -> bool:
        early = one.age < SETTLED_SECONDS or one.at < plan.steady * 60
        return not early and all(not at <= one.at < at + SETTLED_SECONDS for at in turns)

    steady = [one for one in samples if calm(one)]
    found = {name: growth(steady, take, restarted=restarted) for name, take in FIGURES.items()}
    resident = FIGURES["resident_kib"]
    lowest = floors(steady, resident, restarted=restarted)
    found["resident_floor_kib"] = growth(lowest, resident, restarted=restarted)
    return found


def _log_an_hour(plan: Plan, lives: list[Life]) -> int:
    """What both workers wrote after the first minutes, at that rate in an hour."""
    written = 0
    for life in lives:
        steady = [one for one in life.samples if one.at >= plan.steady * 60]
        for first, last in _ends_of_processes(steady):
            written += last.log_bytes - (first.log_bytes if first is steady[0] else 0)
    return round(written * 60 / (plan.minutes - plan.steady))


def _ends_of_processes(samples: list[Sample]) -> list[tuple[Sample, Sample]]:
    """The first and the last sample of each process."""
    found: dict[int, tuple[Sample, Sample]] = {}
    for one in samples:
        first, _ = found.get(one.life, (one, one))
        found[one.life] = (first, one)
    return list(found.values())


def _log_lines(lives: list[Life]) -> dict[str, int]:
    """Bytes by what was said, numbers left out; the most talkative ones."""
    said: Counter[str] = Counter()
    for life in lives:
        for line in life.worker.log.read_text(errors="replace").splitlines():
            message = str(json.loads(line)["message"])
            said[re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "#", message)[:80]] += len(line) + 1
    return dict(said.most_common(20))


def _log_by_stretch(plan: Plan, samples: list[Sample]) -> list[int]:
    """What the worker that goes on wrote in each stretch between two restarts."""
    ends: dict[int, int] = {}
    for one in samples:
        ends[int(one.at // (plan.every * 60))] = one.log_bytes
    sizes = list(ends.values())
    return [later - earlier for earlier, later in zip([0, *sizes], sizes, strict=False)]
