"""Labels and counts of one instant, and what is read stale inside a dwell.

schemas/CONTRACT.md, "Labels and counts".
"""

import pytest

from schemas.enums import Field
from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy
from tests.core.states import ISSUED, begun, delivered, invited

UNKNOWN, OTHER_UNKNOWN = "旅游", "美食"


def state(day: Day) -> str:
    """Where the account stands."""
    return day.account().eligibility.name


# ---- labels of one instant ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "pair",
    [("财经", "法律"), ("财经", UNKNOWN), (UNKNOWN, "财经"), ("财经", "日常生活")],
)
def test_two_labels_of_one_instant_that_differ_cover_nothing(pair: tuple[str, str]) -> None:
    day = Day().label(pair[0], at=START).label(pair[1], at=START).reads(1500)
    assert day.wait(DAY).said() == []
    day.label("财经").wait(HOUR)
    assert day.said() == [ISSUED], "until a newer one"


def test_they_cancel_an_open_cycle_and_a_third_of_the_instant_mends_nothing() -> None:
    day = invited().label("法律", at=START)
    assert day.said() == ["cancelled label"]
    day.label("财经", at=START).label("法律", at=START)
    assert state(day) == "OUTSIDE"


def test_the_same_label_again_contradicts_nothing() -> None:
    day = invited().label("财经", at=START)
    assert day.said() == []
    assert state(day) == "INSIDE"


def test_two_unknown_labels_of_one_instant_stay_unknown() -> None:
    day = Day().label(UNKNOWN, at=START).label(OTHER_UNKNOWN, at=START).reads(1500)
    assert day.wait(DAY).said() == []
    assert not day.account().label.contradictory


def test_a_stored_unknown_read_again_under_its_own_text_contradicts_nothing() -> None:
    """A new policy knows the label; the rescan that it needs reads it once more."""
    day = Day(policy(labels={"法律": Field.LAW})).label("财经", at=START).reads(1500).wait(HOUR)
    ends = dict(day._offsets)
    day.open(policy(version=2))
    day.partition.rewind(day.tables, ends)  # type: ignore[arg-type]
    day._offsets["category-changes"] = 0
    day.label("财经", at=START)
    assert day.wait(2 * HOUR).said() == [ISSUED]


def test_a_label_that_the_policy_dropped_read_again_contradicts_nothing_either() -> None:
    day = Day().label("财经", at=START).reads(1500).wait(MINUTE)
    day.open(policy(version=2, labels={"法律": Field.LAW}))
    day.run_timers().label("财经", at=START)
    assert not day.account().label.contradictory


def test_of_two_ends_of_one_label_the_earlier_counts() -> None:
    early, late = rfc3339(START + 2 * DAY), rfc3339(START + 9 * DAY)
    for first, second in ((early, late), (late, early), (early, None), (None, early)):
        day = Day().label("财经", at=START, valid_until=first)
        day.label("财经", at=START, valid_until=second).reads(1500)
        day.wait(2 * DAY - 1)
        assert state(day) == "INSIDE"
        assert state(day.wait(1)) == "OUTSIDE"


def test_a_label_not_newer_than_the_one_that_a_tombstone_removed_is_stale() -> None:
    day = Day().label("财经", at=START).label(None).label("财经", at=START).reads(1500)
    day.label("财经", at=START - 1)
    assert day.wait(DAY).said() == []
    assert day.label("财经").wait(HOUR).said() == [ISSUED]


# ---- counts of one instant ----------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(999, 1500), (1500, 999)])
def test_of_two_counts_of_one_instant_the_lower_counts(counts: tuple[int, int]) -> None:
    day = Day().label("财经").reads(counts[0], at=START).reads(counts[1], at=START)
    assert day.account().followers == 999
    assert day.wait(DAY).said() == []


def test_the_same_reading_again_after_reopening_is_no_fresh_one() -> None:
    day = Day().reads(1500, at=START).change("closed").wait(MINUTE).change("reopened")
    assert day.reads(1500, at=START).account().followers is None
    assert day.reads(1500, at=START + 1).account().followers == 1500


# ---- stale inside a dwell -----------------------------------------------------------------------


def test_a_stale_reading_below_the_line_inside_a_dwell_starts_it_anew() -> None:
    day = begun().wait(30 * MINUTE).reads(1600).reads(999, at=START + 10 * MINUTE)
    assert state(day) == "DWELLING"
    assert day.account().dwell_from == START + 30 * MINUTE, "from the newest reading"
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_a_stale_label_that_is_not_covered_does_so_too() -> None:
    day = begun().wait(20 * MINUTE).label("法律").wait(10 * MINUTE)
    day.label("日常生活", at=START + 10 * MINUTE)
    assert day.account().dwell_from == START + 20 * MINUTE, "from the newest label"
    assert day.wait(50 * MINUTE - 1).said() == []
    assert day.wait(1).said() == [ISSUED]


def test_inside_and_not_yet_invited_counts_as_the_dwell() -> None:
    day = begun(policy(invitations_per_day=0)).wait(2 * HOUR)
    day.reads(1600).reads(900, at=START + HOUR)
    assert state(day) == "DWELLING"


@pytest.mark.parametrize("at", [0, -1])
def test_one_not_dated_after_the_start_changes_nothing(at: int) -> None:
    day = Day().label("财经", at=START - HOUR).reads(1500).wait(30 * MINUTE).reads(1600)
    day.reads(900, at=START + at)
    assert day.wait(30 * MINUTE).said() == [ISSUED]


def test_one_over_the_line_changes_nothing() -> None:
    day = begun().wait(30 * MINUTE).reads(1600).reads(1000, at=START + MINUTE)
    assert day.wait(30 * MINUTE).said() == [ISSUED]


def test_once_an_invitation_was_issued_a_stale_reading_changes_nothing() -> None:
    day = delivered().reads(1600).reads(10, at=START + MINUTE)
    assert state(day) == "INSIDE"
    day = delivered().control("lift").reads(1600).reads(10, at=START + MINUTE)
    assert state(day) == "INSIDE", "also when its cycle is over"


def test_after_a_correction_alone_no_dwell_starts_anew() -> None:
    day = begun().wait(30 * MINUTE).reads(1600, cause="correction").reads(9, at=START + MINUTE)
    assert state(day) == "OUTSIDE"
    assert day.wait(DAY).said() == []
    assert day.reads(1600).wait(HOUR).said() == [ISSUED]


def test_what_was_stale_is_written_down_when_it_broke_a_dwell() -> None:
    day = begun().wait(30 * MINUTE).reads(1600).reads(999, at=START + MINUTE)
    steps = day.decisions[-2]["transitions"]
    assert [step["to_state"] for step in steps] == ["OUTSIDE", "DWELLING"]


def test_of_two_counts_of_one_instant_the_lower_opens_no_dwell_where_it_is_a_correction() -> None:
    both = [(1500, {}), (1200, {"cause": "correction"})]
    for order in (both, both[::-1]):
        day = Day()
        for followers, more in order:
            day.reads(followers, at=day.now, **more)
        day.label("财经").wait(2 * HOUR)
        assert day.said() == [], order
