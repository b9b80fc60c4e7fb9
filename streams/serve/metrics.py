"""The metrics of the index at `/metrics`: a closed list of numbers, without any account.

The database is queried at most once in `KEPT_SECONDS`, however often Prometheus scrapes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine

from streams.core.model.instants import DAY
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.propagation import Asked, System, systems
from streams.index.standing import standing
from streams.index.unobeyed import SAID, unobeyed
from streams.process_metrics import show_process

KEPT_SECONDS = 30.0
MOST_SYSTEMS = 100
"""How many enforcing systems have metrics; each has a time series of its own."""

NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "byline_index_as_of_timestamp_seconds": (
        "All that Kafka held then is in the index; absent until all was read once.",
        (),
    ),
    "byline_index_behind_records": ("Records that were still to be read.", ()),
    "byline_restricted_invitations": (
        "Invitations in mode enforce with a restriction that was not lifted.",
        ("platform",),
    ),
    "byline_deadlines_ahead": (
        "Open invitations whose deadline passes within that time: 1h, 1d or 7d.",
        ("platform", "within"),
    ),
    "byline_unacknowledged_events": (
        "Newest throttle events of surfaces that no system acknowledged in ACKNOWLEDGED_WITHIN;"
        " none while no system ever acknowledged anything.",
        ("platform", "event"),
    ),
    "byline_acknowledged_ratio": (
        "Of the throttle events of the last 24 hours that a system has to carry out, the share that"
        " it acknowledged.",
        ("system",),
    ),
    "byline_acknowledgement_delay_seconds": (
        "How long a system took to acknowledge, in the last 24 hours.",
        ("system", "quantile"),
    ),
    "byline_system_silent_seconds": (
        "Since when a system that did acknowledge says nothing of newer events; 0 while it speaks.",
        ("system",),
    ),
}
"""Each metric: its help text and its labels. All are gauges."""
ANSWERS = "byline_read_answers_total"


class IndexMetrics:
    """A Prometheus collector of the index's metrics.

    `clock` returns the present time in ms. `within_ms`: the setting ACKNOWLEDGED_WITHIN.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int], within_ms: int) -> None:
        self._engine, self._clock, self._within = engine, clock, within_ms
        self._kept: list[GaugeMetricFamily] = []
        self._asked_at: float | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yields all metrics. Raises IndexFault if the database does not answer."""
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= KEPT_SECONDS:
            self._kept = self._ask()
            self._asked_at = now
        yield from self._kept

    def describe(self) -> list[Any]:
        """Returns nothing: otherwise registering the collector would query the database."""
        return []

    def _ask(self) -> list[GaugeMetricFamily]:
        now = self._clock()
        gauges = {
            name: GaugeMetricFamily(name, says, labels=labels)
            for name, (says, labels) in NAMES.items()
        }
        with reading(self._engine) as connection:
            fresh = freshness(connection)
            gauges["byline_index_behind_records"].add_metric((), fresh.behind)
            if fresh.as_of is None:
                # Counts from a part of the records would pass for all.
                return list(gauges.values())
            stands = standing(connection, now)
            late = unobeyed(connection, now - self._within)
            spoke = systems(connection, Asked(now - DAY, now, now - self._within))
        gauges["byline_index_as_of_timestamp_seconds"].add_metric((), fresh.as_of / 1000)
        for one in stands:
            gauges["byline_restricted_invitations"].add_metric((one.platform,), one.restricted)
            for within, number in one.ahead.items():
                gauges["byline_deadlines_ahead"].add_metric((one.platform, within), number)
        counts: dict[tuple[str, str], int] = {}
        for duty in {
            (platform, str(it)) for one in spoke for platform, _ in one.duties for it in SAID
        }:
            counts[duty] = 0
        for event in late:
            where = (event.account.partition(":")[0], event.event)
            counts[where] = counts.get(where, 0) + 1
        for labels, count in sorted(counts.items()):
            gauges["byline_unacknowledged_events"].add_metric(labels, count)
        for system in spoke[:MOST_SYSTEMS]:
            _add_system(gauges, system, now)
        return list(gauges.values())


def _add_system(gauges: Mapping[str, GaugeMetricFamily], it: System, now: int) -> None:
    if it.share_ppm is not None:
        gauges["byline_acknowledged_ratio"].add_metric((it.system,), it.share_ppm / 1e6)
    for quantile, ms in (("0.5", it.median_ms), ("0.95", it.p95_ms)):
        if ms is not None:
            delay = gauges["byline_acknowledgement_delay_seconds"]
            delay.add_metric((it.system, quantile), ms / 1000)
    silent = 0 if it.silent_since is None else (now - it.silent_since) / 1000
    gauges["byline_system_silent_seconds"].add_metric((it.system,), silent)


def registry_of(engine: Engine, clock: Callable[[], int], within_ms: int) -> CollectorRegistry:
    """Returns a registry with the index's metrics and those of the process."""
    registry = CollectorRegistry()
    show_process(registry)
    registry.register(IndexMetrics(engine, clock, within_ms))
    return registry


def answers_of(registry: CollectorRegistry, routes: Iterable[str]) -> Counter:
    """Returns the counter of the read API's answers, by route and the first digit of the status.

    The series of its faults are there from the start, so that the first fault is an increase.
    """
    says = "Answers of the read API, by route and the first digit of the status."
    counter = Counter(ANSWERS, says, ("route", "status"), registry=registry)
    for route in routes:
        counter.labels(route, "5xx")
    return counter
