"""Two accounts polled every second through 10,000,000, down and up again: one invitation each."""

from collections import Counter
from functools import cache

import pytest

from streams.core.model.policy import Phase, Policy, Stability
from tests.core.given import DAY, HOUR, MINUTE, policy
from tests.real.feed import FeedReading, FeedReplay, instant
from tests.real.sample import rows_of

pytestmark = pytest.mark.slow

LINE = 10_000_000
FAST = 300
"""More followers in a second than this is no flutter, but a gap between two polls."""


@cache
def _rows(source: str) -> list[FeedReading]:
    return [row._replace(label="财经") for row in rows_of("bilibili_10m_1s", source)]


@cache
def _crossings(source: str) -> Counter[int]:
    """How often each number of followers was crossed upward, by whichever account."""
    crossed: Counter[int] = Counter()
    last: dict[str, int] = {}
    for row in _rows(source):
        before = last.get(row.account_id, row.followers)
        if row.followers - before < FAST:
            crossed.update(range(before + 1, row.followers + 1))
        last[row.account_id] = row.followers
    return crossed


def _policy(start: int, line: int, dwell: int, exit_ratio_ppm: int) -> Policy:
    return policy(
        platform="bilibili",
        phases=(Phase("ten-million", line, start - DAY, None, None),),
        stability=Stability(dwell, exit_ratio_ppm, 7 * DAY, 30 * DAY, 30 * DAY),
    )


@pytest.mark.parametrize("source", ["real", "sample"])
@pytest.mark.parametrize(("dwell", "exit_ratio_ppm"), [(MINUTE, 950_000), (0, 1_000_000)])
@pytest.mark.parametrize("fluttering", [False, True], ids=["ten million", "the worst number"])
def test_a_count_that_flutters_about_the_line_invites_once(
    fluttering: bool, dwell: int, exit_ratio_ppm: int, source: str
) -> None:
    """At 10,000,000, and at the number that was crossed most often."""
    rows = _rows(source)
    line, start = LINE, instant(rows[0].observed_at)
    if fluttering:
        line, times = _crossings(source).most_common(1)[0]
        assert times > 5, "the data do flutter"
    replay = FeedReplay(_policy(start, line, dwell, exit_ratio_ppm), start=start)
    replay.feed(rows)
    replay.close(dwell + HOUR)
    issued = Counter(
        event["account_id"] for event in replay.events if event["event"] == "invitation.issued"
    )
    assert set(issued) == {row.account_id for row in rows if row.followers >= line}
    assert set(issued.values()) == {1}
    assert not [event for event in replay.events if event["event"] == "invitation.cancelled"]
