"""Which times an input may state: what is no date, and what has not been.

schemas/CONTRACT.md, "What is refused" and "Which word is the newest".
"""

from typing import Any

import msgspec
import pytest

from schemas.inputs import InputName
from streams.core.inputs.entry import SKEW
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, DAY, HOUR, PLATFORM, START, Day, GivenRecord

KEY = f"{PLATFORM}:{ACCOUNT}"
WHO = {"platform": PLATFORM, "account_id": ACCOUNT}
SENTINELS = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2004-12-31T23:59:59.999Z"]
FACTS: dict[InputName, dict[str, Any]] = {
    "follower-counts": {**WHO, "followers": 1500},
    "category-changes": {**WHO, "category": "财经"},
}
WORDS: dict[InputName, dict[str, Any]] = {
    "account-changes": {**WHO, "change": "exempted", "observed_at": ""},
    "notice-receipts": {
        **WHO,
        "invitation_id": "i",
        "outcome": "delivered",
        "occurred_at": "",
    },
    "consent-answers": {**WHO, "answer": "withdrawn", "occurred_at": ""},
    "controls": {
        **WHO,
        "control_id": "c",
        "command": "hold",
        "actor": "op",
        "reason": "test",
        "issued_at": "",
    },
    "switches": {
        "scope": "*",
        "switch": "adverse_off",
        "on": True,
        "actor": "op",
        "reason": "test",
        "issued_at": "",
    },
}


def refused(day: Day) -> list[tuple[str, str | None]]:
    """Reason and field of each dead letter."""
    return [(letter["reason"], letter["field"]) for letter in day.dead_letters]


def put(
    name: InputName,
    value: dict[str, Any],
    now: int,
    timestamp: int | None = None,
    timestamp_type: int = 1,
) -> Day:
    """One record, read at an instant, whose Kafka timestamp may be another."""
    day = Day()
    key = "*:adverse_off" if name == "switches" else KEY
    at = now if timestamp is None else timestamp
    record = GivenRecord(0, at, key.encode(), msgspec.json.encode(value), timestamp_type)
    day.partition.step(day.tables, now, [(name, [record])])
    return day


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("at", SENTINELS)
def test_a_reading_or_label_observed_before_2005_is_refused(name: InputName, at: str) -> None:
    day = Day().put(name, KEY, {**FACTS[name], "observed_at": at})
    assert refused(day) == [("time_before_2005", "observed_at")]
    day = Day().put(name, KEY, {**FACTS[name], "observed_at": "2005-01-01T00:00:00Z"})
    assert refused(day) == []


@pytest.mark.parametrize("name", FACTS)
def test_a_reading_or_label_more_than_5_minutes_ahead_of_its_entry_is_refused(
    name: InputName,
) -> None:
    def said(at: int) -> dict[str, Any]:
        return {**FACTS[name], "observed_at": rfc3339(at)}

    assert refused(put(name, said(START + SKEW), START)) == []
    assert refused(put(name, said(START + SKEW + 1), START)) == [("time_ahead", "observed_at")]


@pytest.mark.parametrize("name", FACTS)
def test_a_late_worker_judges_a_time_as_a_punctual_one_does(name: InputName) -> None:
    value = {**FACTS[name], "observed_at": rfc3339(START + HOUR)}
    for now in (START, START + HOUR, START + 9 * DAY):
        assert refused(put(name, value, now, timestamp=START)) == [("time_ahead", "observed_at")]
        assert refused(put(name, value, now, timestamp=START + HOUR)) == []


@pytest.mark.parametrize("name", FACTS)
def test_a_producers_own_timestamp_lets_nothing_in_that_has_not_been(name: InputName) -> None:
    value = {**FACTS[name], "observed_at": rfc3339(START + 365 * DAY)}
    for timestamp_type, letters in ((0, [("time_ahead", "observed_at")]), (1, [])):
        day = put(name, value, START, START + 365 * DAY, timestamp_type)
        assert refused(day) == letters


@pytest.mark.parametrize("name", FACTS)
def test_each_record_of_a_batch_is_held_to_its_own_entry(name: InputName) -> None:
    day = Day()
    records = []
    for offset in range(200):
        entry = START + (offset * 7919 % 200) * HOUR
        ahead = SKEW + 1 if offset % 3 == 0 else SKEW
        at = rfc3339(entry + ahead)
        who = {"platform": PLATFORM, "account_id": f"a{offset}"}
        value = {**FACTS[name], **who, "observed_at": at}
        key = f"{PLATFORM}:a{offset}".encode()
        records.append(GivenRecord(offset, entry, key, msgspec.json.encode(value)))
    day.partition.step(day.tables, START + 300 * HOUR, [(name, records)])
    assert [letter["offset"] for letter in day.dead_letters] == list(range(0, 200, 3))


@pytest.mark.parametrize("at", SENTINELS)
def test_an_end_before_2005_is_refused_of_any_record(at: str) -> None:
    now = rfc3339(START)
    label = {**FACTS["category-changes"], "observed_at": now, "valid_until": at}
    assert refused(Day().put("category-changes", KEY, label)) == [
        ("time_before_2005", "valid_until")
    ]
    for field in ("expires_at", "until"):
        control = {**WORDS["controls"], "issued_at": now, field: at}
        assert refused(Day().put("controls", KEY, control)) == [("time_before_2005", field)]


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("at", [*SENTINELS, rfc3339(START + SKEW + 1), "9999-12-31T23:59:59Z"])
def test_the_own_time_of_a_word_is_never_refused_but_replaced_and_counted(
    name: InputName, at: str
) -> None:
    value = {key: at if said == "" else said for key, said in WORDS[name].items()}
    day = put(name, value, START)
    assert refused(day) == []
    if name in ("account-changes", "controls", "switches"):
        assert day.partition.counts["time_replaced", name] == 1, "where there is an account"
