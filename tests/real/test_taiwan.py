"""1,549 Twitch accounts read 0 for 70 minutes, and come back: nobody is invited or let go for it.

Real data, thresholds scaled to 5,000 and 10,000. The same readings without the fault are the rule
to measure by.
"""

from collections import Counter
from typing import Any

import pytest

from schemas.enums import Field
from streams.core.model.policy import Guards, Phase, Policy, Stability
from tests.core.given import DAY, HOUR, policy
from tests.real.feed import FeedReading, FeedReplay, instant, partition_of
from tests.real.sample import rows_of

pytestmark = pytest.mark.slow

FAULT = "2026-07-15T22:51:29.000Z"
OVER = "2026-07-16T00:01:57.000Z"
SHIPPED_GUARDS = Guards(HOUR, 50, 200_000, 100_000, 50_000, 50_000)


def _policy(platform: str, start: int, labels: set[str]) -> Policy:
    return policy(
        platform=platform,
        phases=(
            Phase("ten-thousand", 10_000, start - DAY, None, None),
            Phase("five-thousand", 5_000, start + 25 * DAY, None, None),
        ),
        labels=dict.fromkeys(labels - {""}, Field.SOCIETY),
        exempt_labels=frozenset(),
        stability=Stability(DAY, 950_000, 7 * DAY, 30 * DAY, 30 * DAY),
        invitations_per_day=20_000,
        throttles_per_hour=2_000,
        guards=SHIPPED_GUARDS,
    )


def _replay(
    rows: list[FeedReading], partition_count: int
) -> tuple[list[dict[str, Any]], Counter[tuple[str, str]]]:
    """Events, and how often a guard of a platform closed, over all partitions."""
    start, labels = instant(rows[0].observed_at), {row.label for row in rows}
    policies = [_policy(name, start, labels) for name in ("twitch", "youtube")]
    shares: list[list[FeedReading]] = [[] for _ in range(partition_count)]
    for row in rows:
        shares[partition_of(row, partition_count)].append(row)
    events: list[dict[str, Any]] = []
    closings: Counter[tuple[str, str]] = Counter()

    def watch(seen: FeedReplay) -> None:
        for name, *labels in seen.partition.counts:
            if name == "guard_trips":
                closings[labels[0], labels[1]] += 1
        seen.partition.counts.clear()

    for partition, own in enumerate(shares):
        replay = FeedReplay(
            *policies, start=start, partition=partition, partition_count=partition_count
        )
        replay.feed(own, watch)
        replay.close(2 * DAY)
        events += replay.events
    return events, closings


def _of(events: list[dict[str, Any]], name: str) -> Counter[tuple[str, str, int, str]]:
    return Counter(
        (event["platform"], event["account_id"], event["cycle"], event["reason"])
        for event in events
        if event["event"] == name
    )


@pytest.mark.parametrize(
    ("source", "partition_count", "broken", "least"),
    [("real", 1, 1549, 100), ("real", 32, 1549, 100), ("sample", 1, 70, 30)],
)
def test_seventy_minutes_of_zeros_invite_nobody_and_let_nobody_go(
    source: str, partition_count: int, broken: int, least: int
) -> None:
    rows = rows_of("taiwan_vtuber", source)
    zeros = [row for row in rows if row.observed_at == FAULT and row.followers == 0]
    assert len(zeros) == broken
    sound = [row for row in rows if row.observed_at != FAULT or row.followers]
    faulty, closings = _replay(rows, partition_count)
    rule, _ = _replay(sound, partition_count)

    issued, cancelled = _of(faulty, "invitation.issued"), _of(faulty, "invitation.cancelled")
    opened_by_fault = issued - _of(rule, "invitation.issued")
    cancelled_by_fault = cancelled - _of(rule, "invitation.cancelled")
    print(f"{len(issued)} issued, {len(cancelled)} cancelled; closings {closings}")
    print(f"missing: {_of(rule, 'invitation.issued') - issued}")
    assert opened_by_fault == Counter()
    assert cancelled_by_fault == Counter()
    assert len(issued) > least, "the data do cross the lines"

    assert closings["twitch", "sudden_drop"] >= partition_count / 2
    assert closings["youtube", "sudden_drop"] == 0
    between = [
        event
        for event in faulty
        if event["platform"] == "twitch"
        and instant(FAULT) <= instant(event["decided_at"]) < instant(OVER)
    ]
    assert between == [], "while the collector was broken nothing at all was said"
