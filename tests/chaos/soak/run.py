"""One soak: Kafka, two workers, traffic; one of them is restarted again and again."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.topics import OUTPUTS, TopicNames
from streams.local.kafka import KafkaCluster
from tests.chaos.soak import logs
from tests.chaos.soak.outputs import Outputs
from tests.chaos.soak.samples import Growth, SoakSample, floors, growth, look
from tests.chaos.soak.traffic import SoakTraffic
from tests.worker.harness import Estate, Worker

POLICIES = Path(__file__).parent / "policies"
SAMPLE_SECONDS = 2.0
PARTITIONS = 8
EARLY_SECONDS = 2.0
"""A restart at the end of the first minutes belongs to what is judged."""

SETTLED_SECONDS = 30.0
"""What a worker takes so soon after a restart, its own or the other's, is not compared."""

HTTP_OK = 200
PAGES = ("/metrics", "/readyz", "/healthz")


@dataclass(frozen=True)
class SoakPlan:
    """How long, how fast, how often; `steady` is where the part begins that is judged (minutes)."""

    minutes: float = 45.0
    rate: float = 2_000.0
    every: float = 5.0
    steady: float = 10.0


class SoakLife:
    """A worker over its processes: what each of them takes."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.samples: list[SoakSample] = []
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
        pages = {page: self.worker.page(page) for page in PAGES}
        if not self._ready and pages["/readyz"][0] != HTTP_OK:
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
            pages["/metrics"][1],
        )
        if taken is not None:
            self.samples.append(taken)


Keep = Callable[[dict[str, Any]], None]


def perform(plan: SoakPlan, keep: Keep) -> dict[str, Any]:
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


def _soak(plan: SoakPlan, estate: Estate, keep: Keep) -> dict[str, Any]:
    lives = [
        SoakLife(Worker(number, estate.environment, estate.folder, forked=False))
        for number in range(2)
    ]
    estate.workers = [life.worker for life in lives]
    for life in lives:
        life.start()
    estate.wait_ready(180)
    traffic = SoakTraffic(estate.bootstrap, estate.names.prefix, plan.rate)
    topics = [estate.names.of(topic) for topic in OUTPUTS]
    outputs = Outputs(estate.bootstrap, topics, PARTITIONS, traffic.hear)
    try:
        traffic.start()
        began, began_at = time.monotonic(), time.time()
        restarts: list[tuple[float, str]] = []

        def keep_so_far() -> None:
            keep(_result(plan, lives, restarts, traffic, outputs, began_at))

        _watch(plan, lives, began, restarts, keep_so_far)
        traffic.stop()
        estate.drain()
        time.sleep(5.0)
    finally:
        outputs.close()
    for life in lives:
        life.worker.stop()
    return _result(plan, lives, restarts, traffic, outputs, began_at)


def _watch(
    plan: SoakPlan,
    lives: list[SoakLife],
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


FIGURES: dict[str, Callable[[SoakSample], float]] = {
    "resident_kib": lambda one: one.resident_kib,
    "kept_kib": lambda one: one.resident_kib - one.buffers_kib,
    "descriptors": lambda one: one.descriptors,
    "open_files": lambda one: one.open_files,
    "sockets_and_others": lambda one: one.descriptors - one.open_files,
    "threads": lambda one: one.threads,
    "log_bytes": lambda one: one.log_bytes,
    "disk_files": lambda one: one.disk_files,
    "disk_bytes": lambda one: one.disk_bytes,
}


FLOORS = ("resident_kib", "kept_kib", "descriptors")


def _last(lives: list[SoakLife]) -> float:
    """When the last sample was taken."""
    return max((life.samples[-1].at for life in lives if life.samples), default=0.0)


def _result(
    plan: SoakPlan,
    lives: list[SoakLife],
    restarts: list[tuple[float, str]],
    traffic: SoakTraffic,
    outputs: Outputs,
    began_at: float,
) -> dict[str, Any]:
    """`began_at`: seconds UTC."""
    turns = [at for at, _ in (*restarts, *(turn for life in lives for turn in life.unplanned))]
    found = {
        name: growths(plan, life.samples, turns, name == "restarted" or bool(life.unplanned))
        for name, life in zip(("goes on", "restarted"), lives, strict=True)
    }
    texts = [life.worker.said for life in lives]
    stretches = logs.intervals(texts, began_at, restarts, _last(lives))
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
        "log_intervals": [asdict(one) for one in stretches],
        "log_growth": asdict(
            logs.growth([one for one in stretches if one.at >= plan.steady * 60 - EARLY_SECONDS])
        ),
        "log_lines": logs.talk(texts),
        "samples": {
            name: [one.as_dict() for one in life.samples[::5]]
            for name, life in zip(("goes on", "restarted"), lives, strict=True)
        },
    }


def growths(
    plan: SoakPlan, samples: list[SoakSample], turns: list[float], restarted: bool
) -> dict[str, Growth]:
    """How each figure rises over the steady part; `turns`: when a process ended."""

    def calm(one: SoakSample) -> bool:
        early = one.age < SETTLED_SECONDS or one.at < plan.steady * 60
        return not early and all(not at <= one.at < at + SETTLED_SECONDS for at in turns)

    steady = [one for one in samples if calm(one)]
    found = {name: growth(steady, take, restarted=restarted) for name, take in FIGURES.items()}
    for name in FLOORS:
        lowest = floors(steady, FIGURES[name], restarted=restarted)
        found[f"{name}_floor"] = growth(lowest, FIGURES[name], restarted=restarted)
    return found
