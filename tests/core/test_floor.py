"""Below the floor: nobody is remembered, but for what has to be, and nothing is lost on the way."""

import json
from typing import Any

import pytest

from streams.core.model.instants import rfc3339
from streams.core.model.policy import Phase
from streams.core.model.ports import ACCOUNTS, CATEGORIES
from tests.core.given import ACCOUNT, DAY, HOUR, PLATFORM, START, Day, GivenRecord, policy
from tests.core.states import ISSUED, brief, invited

KEY = f"{PLATFORM}:{ACCOUNT}".encode()


def test_below_the_floor_nobody_is_remembered() -> None:
    day = Day().reads(899).reads(0)
    assert day.tables.state[ACCOUNTS].get(KEY) is None
    assert day.reads(900).account().followers == 900
    assert day.reads(899).account().followers is None
    assert day.account().observed_at == START, "once tracked, the last instant is kept"
    assert day.reads(1500, at=START - 1).account().followers is None, "so that older ones are stale"


def test_a_count_that_falls_below_the_floor_counts_behind_one_above_it_in_the_same_batch() -> None:
    def read(*counts: tuple[str, int]) -> Day:
        day = Day()
        values = [
            {"platform": PLATFORM, "account_id": who, "followers": count, "observed_at": at}
            for at, (who, count) in zip(
                map(rfc3339, range(START, START + 99)), counts, strict=False
            )
        ]
        records = [
            GivenRecord(
                number,
                day.now,
                f"{PLATFORM}:{value['account_id']}".encode(),
                json.dumps(value).encode(),
            )
            for number, value in enumerate(values)
        ]
        day.partition.step(day.tables, day.now, [("follower-counts", records)])
        return day

    assert read((ACCOUNT, 900), (ACCOUNT, 3)).account().followers is None
    assert read((ACCOUNT, 3), (ACCOUNT, 900)).account().followers == 900
    both = read((ACCOUNT, 3), ("b", 900), (ACCOUNT, 950), (ACCOUNT, 899), ("b", 901), ("c", 3))
    assert both.account().followers is None
    assert both.account("b").followers == 901
    assert f"{PLATFORM}:c".encode() not in both.tables.state[ACCOUNTS]


def test_a_label_is_remembered_at_any_count() -> None:
    day = Day(brief()).reads(3).label("财经")
    assert KEY in day.tables.state[CATEGORIES]
    assert day.wait(DAY).reads(1500).said() == [ISSUED]


@pytest.mark.parametrize(
    "act", [lambda day: day.change("exempted"), lambda day: day.control("hold")]
)
def test_account_changes_and_controls_are_remembered_at_any_count(act: Any) -> None:
    day = act(Day()).label("财经").reads(1500).wait(DAY)
    assert day.said() == []


def test_after_a_cycle_the_count_is_kept_at_any_size() -> None:
    assert invited().control("lift").reads(3).account().followers == 3


def test_who_falls_below_a_line_to_come_waits_for_it_no_more() -> None:
    phases = (
        Phase("now", 2000, START - DAY, None, None),
        Phase("to-come", 1000, START + 10 * DAY, None, None),
    )
    day = Day(policy(phases=phases)).label("财经").reads(1500)
    assert day.partition.waiting == 1
    assert day.wait(HOUR).reads(950).partition.waiting == 0
    assert day.wait(HOUR).reads(960).partition.waiting == 0
