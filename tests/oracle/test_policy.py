"""The oracle's own policy reader, on an example with every key."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.oracle.policy import duration, instant, parse

EXAMPLE = """
platform: weibo
version: 1
mode: shadow
notice: {id: n, version: "1", renew: false, answer_window: null, reminders: [P3D, P1D]}
impact_assessment: null
approvals: []
phases:
  - {name: million, followers: 1000000, from: 2023-10-31T00:00:00+08:00}
  - {name: half, followers: 500000, from: null, answer_by: 2023-12-31T23:59:59+08:00, mode: off}
fields: {covered: [finance, law], labels: {财经: finance, 军: military}, exempt_labels: [日常]}
stability: {dwell: PT24H, exit_ratio: 0.95, leave_after: P7D, cool_down: P30D, max_age: P30D}
consequence: {surfaces: {search: limited, tips: {level: "off", mode: shadow}}, on: [declined],
  review_after: P30D, expires_after: P90D}
on_fall_below: close
caps: {invitations_per_day: 20000, throttles_per_hour: 2000}
rollout_percent: 100
"""


def test_the_example_is_read() -> None:
    policy = parse(EXAMPLE)
    million, half = policy.phases
    assert million.start == datetime(2023, 10, 30, 16, tzinfo=UTC)
    assert (half.start, half.mode) == (None, "off")
    assert policy.window is None
    assert policy.reminders == (timedelta(days=3), timedelta(days=1))
    assert policy.surfaces == {"search": ("limited", None), "tips": ("off", "shadow")}
    assert policy.exit_ratio == Decimal("0.95")
    assert policy.floor == 475_000
    assert policy.field_of("财经") == "finance"
    assert policy.field_of("军") is None
    assert policy.but(covered=None).field_of("军") == "military"
    assert policy.field_of("日常") is None


def test_durations_and_times() -> None:
    assert duration("P1DT2H3M4S") == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert duration("PT0S") == timedelta(0)
    assert instant("2026-01-01t08:00:00.1234567+08:00").microsecond == 123456
    for wrong in ("P", "PT", "1D", "P1M", "P1Y"):
        with pytest.raises(ValueError, match="duration"):
            duration(wrong)
