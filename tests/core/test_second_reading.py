"""What is read a second time, or said a second time, must not undo what came after it."""

import pytest

from streams.core.model.policy import Phase
from streams.stop_worker import StopWorker
from tests.core.given import HOUR, MINUTE, SECOND, START, Day, policy


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
    day.label(None).run_timers()
    assert day.said() == []
    day._offsets["category-changes"] = again
    day.label(None)
    assert day.said() == ["cancelled label"]


def test_the_words_of_a_topic_made_anew_count_though_its_offsets_were_there_before() -> None:
    day = Day()
    day.label("财经").reads(1200).wait(HOUR).receipt().wait(MINUTE)
    before = day._offsets["notice-receipts"]
    day.answer("declined").wait(MINUTE)
    assert day.said()[-1] == "declined answer"
    read = day._offsets["consent-answers"]
    assert (before, read) == (1, 1)
    day.open(policy())
    day._offsets["consent-answers"] = 0
    with pytest.raises(StopWorker, match="which must never be"):
        day.answer("granted")
    day.open(policy())
    day.partition.made_anew({"consent-answers": read})
    day._offsets["consent-answers"] = 0
    day.answer("granted")
    assert day.said() == ["granted answer"]
    # Behind the old log's end an offset counts once, as ever.
    day.answer("withdrawn")
    day._offsets["consent-answers"] = read
    with pytest.raises(StopWorker, match="which must never be"):
        day.answer("withdrawn")


def test_a_restriction_that_has_ended_is_not_renewed_by_a_late_round() -> None:
    day = Day()
    day.label("财经").reads(1200).wait(HOUR).receipt().wait(3 * 24 * HOUR)
    end = max(item.expires_at for item in day.account().live.cycle.throttles.values())
    day.said()
    day.wait(14 * 24 * HOUR)
    assert all(word.startswith("renewed") for word in day.said())
    day.now = end + SECOND
    while day.partition.run_timers(day.tables, day.now, end - SECOND, 1000):
        pass
    assert day.said() == []
    day.run_timers()
    assert day.said()[0].startswith("lifted")


def _read_again(day: Day) -> Day:
    """A lower floor is stated; both topics are read from their beginning once more."""
    ends = dict(day._offsets)
    base = policy()
    day.open(policy(version=2, phases=(*base.phases, Phase("later", 800, None, None, None))))
    wanted = day.partition.rewind(day.tables, ends)  # type: ignore[arg-type]
    assert wanted == {"category-changes", "follower-counts"}
    day._offsets.update(dict.fromkeys(wanted, 0))
    return day


def test_a_label_that_was_removed_does_not_come_back_in_a_rescan() -> None:
    day = Day().label("财经").reads(1200).wait(MINUTE).label(None).wait(2 * HOUR)
    _read_again(day).label("财经", at=START).label(None).reads(1200, at=START)
    assert day.wait(3 * HOUR).said() == []


def test_nor_does_one_of_an_account_that_was_below_the_floor() -> None:
    day = Day().label("财经").reads(850).wait(MINUTE).label(None).wait(2 * HOUR)
    _read_again(day).label("财经", at=START).reads(850, at=START).label(None).reads(1200)
    assert day.wait(3 * HOUR).said() == []


def test_what_was_known_before_a_closing_does_not_come_back_in_a_rescan() -> None:
    day = Day().label("财经").reads(1200).wait(MINUTE).label(None)
    day.change("closed").wait(MINUTE).change("reopened")
    _read_again(day).label("财经", at=START).label(None).reads(1200, at=START)
    assert day.wait(3 * HOUR).said() == []
    day.label("财经").reads(1200)
    assert day.wait(HOUR).said() == ["issued over_line"]


def test_a_label_that_was_not_known_is_known_after_a_rescan() -> None:
    day = Day(policy(labels={})).label("财经").reads(1200).wait(2 * HOUR)
    assert day.said() == []
    _read_again(day).label("财经", at=START)
    assert day.wait(2 * HOUR).said() == ["issued over_line"]
