"""What random histories found once, told as examples, so that it stays found."""

from tests.core.given import DAY, HOUR, MINUTE, Day, policy, stability


def _delivered() -> Day:
    day = Day(policy(stability=stability(dwell=0)))
    day.label("财经").reads(1500).receipt()
    day.said()
    return day


def test_no_restriction_is_renewed_after_its_end() -> None:
    day = _delivered().wait(3 * DAY)
    day.said()
    day.now += 30 * DAY  # the worker was away past every review and the end
    assert day.run_timers().said() == ["lifted recommend-feed ended", "lifted tips ended"]


def test_a_receipt_counts_once_whatever_came_between() -> None:
    day = _delivered()
    first = day.now
    day.wait(HOUR).receipt("failed").wait(HOUR).receipt().wait(HOUR).receipt("failed")
    assert day.said() == [
        "undeliverable other",
        "delivered receipt",
        "undeliverable other",
    ]
    assert day.wait(MINUTE).receipt(at=first).said() == []
