"""Faults of workers, disks, clocks and brokers under a real Prometheus."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewPartitions

from schemas.topics import TOPICS
from tests.prometheus import slow_clock
from tests.prometheus.faults import WatchedEstate, events_of, eventually
from tests.worker.crowd import Crowd
from tests.worker.harness import Worker, utc_now

CROSSINGS = 12_000
"""Falls of one account, at first; more follow until the alert fires."""
FROZEN_SECONDS, THAWED_SECONDS = 2.0, 0.4
WIPED_TIMES = 5
"""How often a restoration may be too quick to be seen."""
AWAY_SECONDS = 420


def _worker(stage: WatchedEstate) -> Worker:
    (worker,) = stage.estate.workers
    return worker


def _is_served(stage: WatchedEstate, seconds: float = 120) -> None:
    eventually(lambda: _worker(stage).served(), "the worker serves nothing", seconds)


def _flaps(crowd: Crowd, began: datetime) -> Callable[[int], None]:
    """A function that lets one account cross the line so many times more, both ways."""
    at = began

    def more(times: int) -> None:
        nonlocal at
        for _ in range(times):
            for followers in (2_000_000, 900_000):
                at += timedelta(seconds=1)
                crowd.say(
                    "follower-counts", "flaps", followers=followers, observed_at=at.isoformat()
                )

    return more


def an_account_flaps(stage: WatchedEstate) -> None:
    """Two sources of counts contradict each other about one account."""
    crowd = Crowd(stage.estate, "bilibili")
    began = datetime.now(UTC) - timedelta(days=5)
    crowd.say("category-changes", "flaps", category="财经", observed_at=began.isoformat())
    flaps = _flaps(crowd, began)
    flaps(CROSSINGS)
    since = time.monotonic()
    stage.watch.fires("BylineFlapping", 20, lambda: flaps(50), since)
    stage.estate.drain()
    stage.watch.ends("BylineFlapping", 10)


def _restores(worker: Worker) -> bool:
    """Starts a worker on an empty disk; returns whether it is seen while it restores."""
    worker.kill()
    for folder in worker.folder.glob(f"data-{worker.number}"):
        shutil.rmtree(folder)
    worker.start()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        states = {it["state"] for it in worker.partitions()}
        if states:
            return "recovering" in states
        time.sleep(0.002)
    raise AssertionError("it was given no partition")


def a_disk_is_lost_and_a_broker_is_slow(stage: WatchedEstate) -> None:
    """A worker restores all from the changelog, and the broker does not answer meanwhile."""
    assert stage.cluster is not None
    worker = _worker(stage)
    stage.watch.ends("BylinePartitionsNotRunning", 10)
    for _ in range(WIPED_TIMES):
        if _restores(worker):
            break
        _is_served(stage)
    else:
        raise AssertionError("it never restored for long enough to be seen")
    stage.cluster.freeze()
    try:
        stage.watch.fires("BylinePartitionsNotRunning", 5)
    finally:
        stage.cluster.thaw()
    stage.watch.ends("BylinePartitionsNotRunning", 20)


def a_worker_begins_again_and_again(stage: WatchedEstate) -> None:
    """kill -9 as soon as it shows a page, and a new start, until the alert fires."""
    worker, since = _worker(stage), time.monotonic()

    def begins_again() -> None:
        worker.kill()
        worker.start()
        eventually(lambda: worker.page("/metrics")[0] == 200, "no page", 60)
        time.sleep(1.2)  # One scrape.

    stage.watch.fires("BylineWorkerRestarts", 10, begins_again, since)
    stage.watch.ends("BylineWorkerRestarts", 10)
    _is_served(stage)


def a_clock_is_behind(stage: WatchedEstate) -> None:
    """The worker runs on a machine whose clock is behind; then it is set, and it starts anew."""
    worker = _worker(stage)
    worker.stop()
    worker.start(Path(slow_clock.__file__))
    _is_served(stage)
    crowd = Crowd(stage.estate)

    def reads() -> None:
        crowd.say("follower-counts", "slow", followers=2_000_000, observed_at=utc_now())
        stage.estate.flush()

    stage.watch.fires("BylineClockAgainstBroker", 10, reads)
    worker.stop()
    worker.start()
    stage.watch.ends("BylineClockAgainstBroker", 10)
    _is_served(stage)


def policies_run_side_by_side(stage: WatchedEstate) -> None:
    """A second worker has the next version of the policies; then it is taken away."""
    stage.second.start()
    eventually(lambda: stage.second.page("/healthz")[0] == 200, "no second worker", 60)
    stage.watch.fires("BylinePoliciesMixed", 10)
    stage.second.stop()
    stage.watch.ends("BylinePoliciesMixed", 10)
    _is_served(stage)


def a_broker_is_slow(stage: WatchedEstate) -> None:
    """The broker stands still for two seconds, again and again, while decisions are made."""
    assert stage.cluster is not None
    cluster, crowd = stage.cluster, Crowd(stage.estate, "bilibili")
    at = datetime.now(UTC) - timedelta(days=5)
    crowd.say("category-changes", "slow", category="财经", observed_at=at.isoformat())

    def stands_still() -> None:
        nonlocal at
        until = time.monotonic() + THAWED_SECONDS
        while time.monotonic() < until:
            # Each is a decision, so that a transaction is under way whenever the broker stops.
            for followers in (2_000_000, 900_000):
                at += timedelta(seconds=1)
                crowd.say(
                    "follower-counts", "slow", followers=followers, observed_at=at.isoformat()
                )
            time.sleep(0.01)
        cluster.freeze()
        time.sleep(FROZEN_SECONDS)
        cluster.thaw()

    stage.watch.ends("BylineTransactionsSlow", 10)
    try:
        stage.watch.fires("BylineTransactionsSlow", 20, stands_still)
    finally:
        cluster.thaw()
    stage.estate.drain()
    stage.watch.ends("BylineTransactionsSlow", 10)


def the_brokers_are_gone_for_minutes(stage: WatchedEstate) -> None:
    """kill -9 of the broker while a deadline runs; five minutes later it is started again."""
    assert stage.cluster is not None
    worker, crowd = _worker(stage), Crowd(stage.estate)
    with stage.estate.follow("invitations") as next_record:
        crowd.count = 1_000
        account = crowd.crosses()
        while account not in crowd.issued:
            crowd.hears(next_record(10.0))
    stage.estate.drain()
    time.sleep(8)  # One with a transaction under way ends; an idle one waits for its broker.
    stage.cluster.kill()
    since = time.monotonic()

    def goes_on() -> None:
        assert worker.code is None, worker.said[-2_000:]

    stage.watch.fires("BylineKafkaAway", AWAY_SECONDS, goes_on, since)
    stage.watch.fires("BylineLag", AWAY_SECONDS, goes_on, since)
    stage.watch.fires("BylineDeadlinesOverdue", AWAY_SECONDS, goes_on, since)
    stage.cluster.start_broker()
    for alert in ("KafkaAway", "Lag", "DeadlinesOverdue"):
        stage.watch.ends(f"Byline{alert}", 20)
    eventually(
        lambda: events_of(stage.estate, f"weibo:{account}", "throttle.applied"),
        "the deadline did not act after all",
        60,
    )


def partitions_are_added(stage: WatchedEstate) -> None:
    """Somebody doubles the partitions; the worker is told to go on with the old ones."""
    admin = AdminClient({"bootstrap.servers": stage.estate.bootstrap, "log_level": 0})
    names = stage.estate.names
    keyed = [names.of(it) for it in TOPICS if it.role == "input" and not it.single]
    for done in admin.create_partitions([NewPartitions(it, 2) for it in keyed]).values():
        done.result(20)
    stage.watch.fires("BylineClusterChanged", 20)
    worker = _worker(stage)
    worker.stop()
    worker.environment["BYLINE_PARTITIONS"] = "1"
    worker.start()
    stage.watch.ends("BylineClusterChanged", 20)
    _is_served(stage)
