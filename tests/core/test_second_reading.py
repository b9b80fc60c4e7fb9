"""What is read a second time, or said a second time, must not undo what came after it."""

from tests.core.given import HOUR, SECOND, Day, policy


def test_an_old_removal_read_again_in_a_rescan_removes_nothing() -> None:
    day = Day()
    day.label("财经").label(None).wait(SECOND).label("法律").reads(1200).wait(HOUR)
    assert day.said() == ["issued over_line"]
    again = day._offsets["category-changes"]
    assert day.partition.rewind(day.tables, {"category-changes": again}) == frozenset()
    lower = policy(version=2, labels={**policy().labels, "军事": policy().labels["财经"]})
    day.open(lower)
    wanted = day.partition.rewind(day.tables, {"category-changes": again})
    assert wanted == {"category-changes", "follower-counts"}
    day._offsets["category-changes"] = 1
    day.label(None).fire()
    assert day.said() == []
    day._offsets["category-changes"] = again
    day.label(None)
    assert day.said() == ["cancelled label"]


def test_a_restriction_that_has_ended_is_not_renewed_by_a_late_round() -> None:
    day = Day()
    day.label("财经").reads(1200).wait(HOUR).receipt().wait(3 * 24 * HOUR)
    end = max(item.expires_at for item in day.account().live.cycle.throttles.values())
    day.said()
    day.wait(14 * 24 * HOUR)
    assert all(word.startswith("renewed") for word in day.said())
    day.now = end + SECOND
    while day.partition.fire(day.tables, day.now, end - SECOND, 1000):
        pass
    assert day.said() == []
    day.fire()
    assert day.said()[0].startswith("lifted")
