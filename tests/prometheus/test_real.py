"""The shipped rules in a real Prometheus beside a real worker: faults fire alerts, and they end.

Durations are divided by one factor (`tests/prometheus/running.py`): a day takes a minute.
`python -m tests.prometheus` tries every alert, and takes its time.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metric_series import LABEL_VALUES, REASON_VALUES
from streams.metrics import ALIASES
from tests.prometheus import faults
from tests.prometheus.faults import WatchedEstate
from tests.prometheus.stages import POLICIES, a_day, settings, watched
from tests.worker.conftest import make_estate
from tests.worker.harness import Estate

__all__ = ["make_estate"]
pytestmark = [
    pytest.mark.part("prometheus"),
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

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
    "BylineConsoleSilent",
    "BylineDeadLetters",
    "BylineErrorResponses",
    "BylineIndexSilent",
    "BylineNameField",
    "BylineNoProgress",
    "BylineReadingsSilent",
    "BylineRefusalGuardTripped",
    "BylineSignInsRefused",
    "BylineSwitchOn",
    "BylineSystemSilent",
    "BylineTopicBlocked",
    "BylineUnclearWords",
    "BylineWorkersMissing",
}
HURRIED = {"BylinePartitionsNotRunning", "BylineDeadlinesOverdue", "BylineTransactionsSlow"}
"""They allow for minutes, of which milliseconds are left here: they may fire on a busy machine."""


@pytest.fixture
def stage(make_estate: Callable[..., Estate], tmp_path: Path) -> Iterator[WatchedEstate]:
    """One worker with one partition, a Prometheus that looks at it, and lives that were led."""
    estate = make_estate(POLICIES, partitions=1, **settings(tmp_path)).start(1)
    faults.lead_lives(estate)
    with watched(estate) as (made, _):
        yield made


def _hold_to_the_lists(page: str) -> None:
    """Every label of a worker's page has a value of its list, or one of a policy file."""
    bounded = {"platform": {*POLICIES, "*"}, "scope": {*POLICIES, "*"}, "version": {"1"}}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            counter = sample.name.removesuffix("_total") + "_total"
            name = {new: old for old, new in ALIASES.items()}.get(counter, counter)
            for label, value in sample.labels.items():
                if label in ("le", "digest", "producer_id"):
                    continue
                known = REASON_VALUES.get(name) if label == "reason" else LABEL_VALUES.get(label)
                assert value in (known or bounded[label]), (sample.name, label, value)


def test_each_fault_fires_its_alert_and_its_end_resolves_it(stage: WatchedEstate) -> None:
    a_day(stage)
    assert stage.watch.seen["BylineSwitchOn"].fires_after > 60
    assert stage.panels.empty == {}, "panels of the dashboards without a series"
    _hold_to_the_lists(stage.estate.workers[0].page("/metrics")[1])
    faults.a_worker_dies(stage)
    print("\n".join(["", stage.watch.told()]))
    assert stage.watch.first.keys() - HURRIED == FIRED
