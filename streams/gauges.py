"""Sets a worker's gauges and logs changes, from the present state of its partitions."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from streams.core.partition import Partition
from streams.engine.faust_app import EngineApp
from streams.engine.observer import EngineStatus
from streams.metrics import Metrics
from streams.news import News, WorkerNews
from streams.processor import BylineProcessor

LOOK_SECONDS = 1.0


async def follow(news: News, app: EngineApp, processor: BylineProcessor) -> None:
    """Logs what is new once a second (news.py), until the task is cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        status = app.engine.status()
        if status.partitions:
            news.look(look_of(status, processor, app.engine.clock.now()))


def look_of(status: EngineStatus, processor: BylineProcessor, now: int) -> WorkerNews:
    """Returns what is in force in this worker's partitions at `now` (milliseconds UTC)."""
    cores = _served(status, processor)
    turned = [frozenset(core.switches_on()) for core in cores]
    return WorkerNews(
        on=frozenset.intersection(*turned) if turned else frozenset(),
        somewhere=frozenset.union(*turned) if turned else frozenset(),
        tripped=frozenset(
            platform
            for platform in processor.platforms
            if any(core.refusals_tripped(platform) for core in cores)
        ),
        closed={platform: _closed(cores, platform, now) for platform in processor.platforms},
        lags={
            processor.input_names.get(one.topic, one.topic): (one.records, one.seconds)
            for one in status.lags
        },
    )


def refresh(
    metrics: Metrics,
    status: EngineStatus,
    processor: BylineProcessor,
    now: int,
    unconfirmed_after: int,
) -> None:
    """Sets all gauges from the engine's status and this worker's partitions.

    Values of partitions that this worker no longer has are removed. `now`: milliseconds UTC.
    `unconfirmed_after`: an invitation without a receipt counts as unconfirmed after this time, in
    milliseconds.
    """
    _show_engine(metrics, status, processor, now)
    cores = _served(status, processor)
    tracked: Counter[str] = Counter(dict.fromkeys(processor.platforms, 0))
    unconfirmed = tracked.copy()
    for core in cores:
        tracked.update(core.tracked)
        unconfirmed.update(core.unconfirmed(now - unconfirmed_after))
    metrics.show("byline_scheduled_accounts", sum(core.waiting for core in cores))
    metrics.show_only(
        "byline_tracked_accounts", {(platform,): count for platform, count in tracked.items()}
    )
    for platform in processor.platforms:
        metrics.show("byline_unconfirmed_invitations", unconfirmed[platform], platform)
    _show_brakes(metrics, look_of(status, processor, now), processor.platforms)


def _show_engine(
    metrics: Metrics, status: EngineStatus, processor: BylineProcessor, now: int
) -> None:
    states = Counter({"recovering": 0, "running": 0, "suspended": 0})
    states.update(part.state for part in status.partitions)
    for state, number in states.items():
        metrics.show("byline_partitions", number, state)
    metrics.show("byline_cluster_changed", int(status.cluster_changed is not None))
    metrics.show("byline_blocked_inputs", len(status.blocked))
    metrics.show("byline_kafka_away_seconds", status.away_seconds)
    metrics.show("byline_lag_records", sum(part.lag for part in status.partitions))
    metrics.show("byline_write_buffer_bytes", status.write_buffer_bytes)
    metrics.show("byline_block_cache_bytes", status.block_cache_bytes)
    metrics.show("byline_queued_records", sum(part.queued_records for part in status.partitions))
    dues = [part.next_due_at for part in status.partitions if part.next_due_at is not None]
    overdue = max(0, now - min(dues)) / 1000 if dues else 0.0
    metrics.show("byline_timers_overdue_seconds", overdue)
    ages = {(name,): one.newest_seconds() for name, one in processor.ages.items()}
    metrics.show_only(
        "byline_newest_record_age_seconds",
        {labels: age for labels, age in ages.items() if age is not None},
    )
    _show_lag(metrics, status, processor, now)


def _show_lag(metrics: Metrics, status: EngineStatus, processor: BylineProcessor, now: int) -> None:
    names = processor.input_names
    lags = {one.topic: one for one in status.lags}
    opened = {one.topic: one for one in status.hiding}
    metrics.show("byline_lag_seconds", max((one.seconds for one in status.lags), default=0.0))
    for topic, name in names.items():
        lag = lags.get(topic)
        metrics.show("byline_topic_lag_records", 0 if lag is None else lag.records, name)
        metrics.show("byline_topic_lag_seconds", 0.0 if lag is None else lag.seconds, name)
        metrics.show("byline_topic_position", 0 if lag is None else lag.position, name)
        metrics.show("byline_blocked_topic", int(topic in opened), name)
    metrics.show_only(
        "byline_open_transaction_seconds",
        {
            (names.get(one.topic, one.topic), str(one.producer_id)): one.open_seconds(now)
            for one in status.hiding
        },
    )


def _show_brakes(metrics: Metrics, now: WorkerNews, platforms: Sequence[str]) -> None:
    metrics.show_only("byline_switch_on", dict.fromkeys(now.somewhere, 1.0))
    for platform in platforms:
        closed, tripped = now.closed[platform], platform in now.tripped
        metrics.show("byline_guard_tripped_seconds", closed, platform)
        metrics.show("byline_refusal_guard_tripped", int(tripped), platform)
        metrics.show("byline_guards_tripped", int(closed > 0) + int(tripped), platform)


def _served(status: EngineStatus, processor: BylineProcessor) -> list[Partition]:
    served = (processor.partitions.get(part.partition) for part in status.partitions)
    return [core for core in served if core is not None]


def _closed(cores: Sequence[Partition], platform: str, now: int) -> float:
    """Returns the seconds until no guard of a platform is tripped any more; 0: none is tripped."""
    opens = [core.guard_tripped_until(platform, now) or now for core in cores]
    return (max(opens, default=now) - now) / 1000
