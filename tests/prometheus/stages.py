"""What faults are tried on, an estate and a Prometheus that looks at it; the faults in order."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from streams.local.kafka import KafkaCluster
from streams.local.probe import free_port
from tests.prometheus import asking, faults
from tests.prometheus import faults_of_console as console
from tests.prometheus import faults_of_machines as machines
from tests.prometheus import faults_of_programme as programme
from tests.prometheus.faults import WatchedEstate
from tests.prometheus.firing import PrometheusWatch
from tests.prometheus.panels import Panels
from tests.prometheus.running import FACTOR, SCRAPE_MS, SHORTEST_MS, Prometheus
from tests.worker.harness import Estate, Worker
from tests.worker.policies import policy

POLICIES = {
    "weibo": policy("weibo", window="PT2S"),
    "bilibili": policy("bilibili"),
    "kuaishou": policy("kuaishou", invitations_per_day=1),
    "douyin": policy("douyin", mode="shadow"),
    "xiaohongshu": policy(
        "xiaohongshu", guards="window: PT10S, minimum: 6, undelivered_ratio: 0.4"
    ),
    "baidu": policy("baidu"),
}
"""Of a day."""
POLICIES_OF_MACHINES = {
    "weibo": policy("weibo", window="PT40S"),
    "bilibili": policy("bilibili", dwell="P1D"),
}


def settings(folder: Path) -> dict[str, str]:
    """What the estate of a day is told beside its Kafka."""
    roles = folder / "roles"
    digest = hashlib.sha256(asking.TOKEN.encode()).hexdigest()
    roles.write_text(f"{digest} {asking.ACTOR} operator\n")
    return {
        "BYLINE_ROLES_FILE": str(roles),
        "BYLINE_ACKNOWLEDGED_WITHIN": "PT1S",
        "BYLINE_UNCONFIRMED_AFTER": "PT1S",
    }


@contextmanager
def watched(
    estate: Estate,
    factor: int = FACTOR,
    shortest_ms: int = SHORTEST_MS,
    scrape_ms: int = SCRAPE_MS,
    cluster: KafkaCluster | None = None,
) -> Iterator[tuple[WatchedEstate, Prometheus]]:
    """The estate with its first worker running, and a Prometheus that scrapes it."""
    auditor, index, desk = free_port(), free_port(), free_port()
    second = Worker(1, _of_second(estate), estate.folder)
    targets: Mapping[str, list[int]] = {
        "byline-worker": [estate.workers[0].port, second.port],
        "byline-auditor": [auditor],
        "byline-index": [index],
        "byline-console": [desk],
    }
    folder = estate.folder / "prometheus"
    folder.mkdir()
    with Prometheus(folder, targets, 1, factor, shortest_ms, scrape_ms) as prometheus:
        watch = PrometheusWatch(prometheus, FACTOR / factor)
        made = WatchedEstate(
            estate, watch, Panels(prometheus), auditor, index, desk, second, cluster=cluster
        )
        try:
            yield made, prometheus
        finally:
            second.end()
            made.close()


def _of_second(estate: Estate) -> dict[str, str]:
    """The settings of a worker that was given newer policies than the others."""
    newer = estate.folder / "newer"
    newer.mkdir()
    for file in sorted(estate.policies.iterdir()):
        text = file.read_text().replace("\nversion: 1\n", "\nversion: 2\n")
        (newer / file.name).write_text(text)
    return {**estate.environment, "BYLINE_POLICIES": str(newer)}


def a_day(stage: WatchedEstate, load: AbstractContextManager[None] | None = None) -> None:
    """Faults of the programme, and a switch that is on for a day; `load` runs beside most of it."""
    watch = stage.watch
    watch.fires("BylineAuditorSilent", 30)
    watch.fires("BylineIndexSilent", 30)
    faults.invite(stage)
    stage.switch("weibo", "adverse_off", True)
    switched_at = time.monotonic()
    faults.somebody_audits_and_indexes(stage)
    console.somebody_opens_the_console(stage)
    console.somebody_works_at_the_console(stage)
    programme.a_lift_goes_out(stage)
    programme.words_count_for_nothing(stage)
    faults.readings_end(stage)
    with load or nullcontext():
        # While the switch is on: every other fault, one after another.
        for fault in (
            faults.a_name_comes_in,
            faults.a_producer_sends_rubbish,
            faults.a_cap_is_reached,
            faults.a_withdrawal_is_garbled,
            faults.a_transaction_is_left_open,
            faults.the_log_is_written_to,
            console.the_console_fails,
            programme.notices_reach_nobody,
            programme.nobody_answers,
            programme.a_lift_is_obeyed_at_last,
        ):
            fault(stage)
            stage.panels.look()
        # It has been on for a day of this clock, not before.
        watch.fires("BylineSwitchOn", 90, since=switched_at)
        stage.panels.look()
        stage.switch("weibo", "adverse_off", False)
        watch.ends("BylineSwitchOn", 20)


OF_MACHINES = (
    machines.a_clock_is_behind,
    machines.policies_run_side_by_side,
    machines.a_broker_is_slow,
    machines.the_brokers_are_gone_for_minutes,
    machines.an_account_flaps,
    machines.a_disk_is_lost_and_a_broker_is_slow,
    machines.a_worker_begins_again_and_again,
    machines.partitions_are_added,
)
"""Faults of workers, their disks and clocks, and of the brokers, in the order of their trial.

The disk is lost after the account flapped, so that there is something to restore.
"""
