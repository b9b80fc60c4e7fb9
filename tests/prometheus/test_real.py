"""The shipped rules in a real Prometheus beside a real worker: faults fire alerts, and they end.

Durations are divided by one factor (`tests/prometheus/running.py`): a day takes a minute.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.local.probe import free_port
from streams.metric_series import LABEL_VALUES, REASON_VALUES
from streams.metrics import ALIASES
from tests.prometheus import faults
from tests.prometheus import faults_of_programme as programme
from tests.prometheus.faults import WatchedEstate
from tests.prometheus.running import Panels, Prometheus, PrometheusWatch
from tests.worker.conftest import make_estate
from tests.worker.harness import Estate
from tests.worker.policies import policy

__all__ = ["make_estate"]
pytestmark = [
    pytest.mark.part("prometheus"),
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

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
FIRED = {
    "BylineAnswersSilent",
    "BylineGuardTripped",
    "BylineNoticesNotDelivered",
    "BylineNoticesUnconfirmed",
    "BylineUnacknowledged",
    "BylineUndeliverable",
    "BylineAuditBreach",
    "BylineAuditorSilent",
    "BylineCapReached",
    "BylineDeadLetters",
    "BylineIndexSilent",
    "BylineNameField",
    "BylineNoProgress",
    "BylineReadingsSilent",
    "BylineRefusalGuardTripped",
    "BylineSwitchOn",
    "BylineTopicBlocked",
    "BylineUnclearWords",
    "BylineWorkersMissing",
}
HURRIED = {"BylinePartitionsNotRunning", "BylineDeadlinesOverdue", "BylineTransactionsSlow"}
"""They allow for minutes, of which milliseconds are left here: they may fire on a busy machine."""


@pytest.fixture
def stage(make_estate: Callable[..., Estate], tmp_path: Path) -> Iterator[WatchedEstate]:
    """One worker with one partition, a Prometheus that looks at it, and lives that were led."""
    roles = tmp_path / "roles"
    roles.write_text(f"{'0' * 64} desk.1 accounts,numbers\n")
    settings = {
        "BYLINE_ROLES_FILE": str(roles),
        "BYLINE_ACKNOWLEDGED_WITHIN": "PT1S",
        "BYLINE_UNCONFIRMED_AFTER": "PT1S",
    }
    estate = make_estate(POLICIES, partitions=1, **settings).start(1)
    faults.lead_lives(estate)
    auditor, index = free_port(), free_port()
    worker = estate.workers[0]
    targets = {"byline-worker": worker.port, "byline-auditor": auditor, "byline-index": index}
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with Prometheus(folder, targets) as prometheus:
        made = WatchedEstate(
            estate, PrometheusWatch(prometheus), Panels(prometheus), auditor, index
        )
        yield made
    made.close()


def _hold_to_the_lists(page: str) -> None:
    """Every label of a worker's page has a value of its list, or one of a policy file."""
    bounded = {"platform": {*POLICIES, "*"}, "scope": {*POLICIES, "*"}, "version": {"1"}}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            counter = sample.name.removesuffix("_created").removesuffix("_total") + "_total"
            name = {new: old for old, new in ALIASES.items()}.get(counter, counter)
            for label, value in sample.labels.items():
                if label in ("le", "digest", "producer_id"):
                    continue
                known = REASON_VALUES.get(name) if label == "reason" else LABEL_VALUES.get(label)
                assert value in (known or bounded[label]), (sample.name, label, value)


def test_each_fault_fires_its_alert_and_its_end_resolves_it(stage: WatchedEstate) -> None:
    watch = stage.watch
    watch.fires("BylineAuditorSilent", 30)
    watch.fires("BylineIndexSilent", 30)
    faults.invite(stage)
    stage.switch("weibo", "adverse_off", True)
    switched_at = time.monotonic()
    faults.somebody_audits_and_indexes(stage)

    # While the switch is on: every other fault, one after another.
    for fault in (
        programme.a_lift_goes_out,
        faults.readings_end,
        faults.a_name_comes_in,
        faults.a_producer_sends_rubbish,
        faults.a_cap_is_reached,
        faults.a_withdrawal_is_garbled,
        faults.a_transaction_is_left_open,
        faults.the_log_is_written_to,
        programme.notices_reach_nobody,
        programme.nobody_answers,
        programme.a_lift_is_obeyed_at_last,
    ):
        fault(stage)

    # It has been on for a day of this clock, not before.
    watch.fires("BylineSwitchOn", 90)
    assert watch.first["BylineSwitchOn"] - switched_at > 60
    stage.panels.look()
    assert stage.panels.empty == {}, "panels of the dashboards without a series"
    stage.switch("weibo", "adverse_off", False)
    watch.ends("BylineSwitchOn", 20)

    _hold_to_the_lists(stage.estate.workers[0].page("/metrics")[1])
    faults.a_worker_dies(stage)
    print("\n".join(["", *watch.told]))
    assert watch.first.keys() - HURRIED == FIRED
