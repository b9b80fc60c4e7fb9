"""Each rule of the wire, once kept and once broken."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.oracle.dead_letters import check_dead_letters, check_keys, digest
from tests.oracle.given import ENFORCE, Story, delivered, expired
from tests.oracle.records import OracleRecord, murmur2, partition_of
from tests.oracle.sample import KEY, PARTITIONS, input_record, records_of, values_of, wire_time
from tests.oracle.untouchable import check_untouchable
from tests.oracle.wire import check_no_text, check_outputs


def full_life() -> list[dict[str, Any]]:
    """Restricted, renewed, agreed late, withdrawn, invited again and cancelled."""
    story = expired().until(170).answers(170, "granted").answers(180, "withdrawn").until(211)
    return values_of(story.change(220, "exempted").life)


def checked(values: list[dict[str, Any]], **options: Any) -> list[str]:
    """Breaches in wire values."""
    return check_outputs(records_of(values), partitions=PARTITIONS, **options)


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(text: str, hashed: int) -> None:
    # Vectors of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    assert murmur2(text.encode()) == hashed % 2**32


def test_a_full_life_has_no_breach() -> None:
    values = full_life()
    assert len(values) == 13
    assert checked(values) == []
    shadow = Story(ENFORCE.but(mode="shadow")).label(0).reads(0, 1000).until(999)
    assert checked(values_of(shadow.life)) == []


def test_a_shadow_surface_of_a_live_cycle_is_fine() -> None:
    policy = ENFORCE.but(surfaces={"tips": ("off", "shadow"), "hot-search": ("limited", None)})
    assert checked(values_of(expired(policy).life)) == []


RECORD_FAULTS = {
    "is no event": {"value": b"{}"},
    "its key is not": {"key": b"weibo:b"},
    "its key belongs to": {"partition": 9},
    "belongs to byline.invitations": {"topic": "byline.shadow.invitations"},
    "header ce_id": {"headers": {}},
}


@pytest.mark.parametrize("says", list(RECORD_FAULTS))
def test_a_faulty_record_is_found(says: str) -> None:
    first, *rest = records_of(full_life())
    broken = replace(first, **RECORD_FAULTS[says])
    assert any(says in one for one in check_outputs([broken, *rest], partitions=PARTITIONS))


EVENT_FAULTS = {
    "not UTC in milliseconds": (0, {"decided_at": "2026-01-10T20:00:00.000+08:00"}),
    "is no event": (0, {"surprise": 1}),
    "occurs 2 times": (1, {"event_id": "e0"}),
    "not rising by one": (1, {"sequence": 7}),
    "does not rise": (2, {"sequence": 1}),
    "several invitation_ids": (1, {"invitation_id": "other"}),
    "sooner than the window": (1, {"deadline_at": "2026-01-10T12:30:00.000Z"}),
    "expired before its deadline": (2, {"decided_at": "2026-01-10T12:30:00.000Z"}),
    "decided_at goes back": (3, {"decided_at": "2026-01-10T12:30:00.000Z"}),
    "applied before the deadline": (3, {"effective_at": "2026-01-10T12:30:00.000Z"}),
    "applied twice": (4, {"surface": "hot-search"}),
    "was not at stake": (3, {"surface": "search"}),
    "not restricted by it": (5, {"throttle_id": "other"}),
    "cycles are": (11, {"cycle": 4}),
}


@pytest.mark.parametrize("says", list(EVENT_FAULTS))
def test_a_faulty_event_is_found(says: str) -> None:
    values = full_life()
    place, changes = EVENT_FAULTS[says]
    values[place].update(changes)
    assert any(says in one for one in checked(values)), checked(values)


def test_a_restriction_without_a_delivered_notice_is_found() -> None:
    values = [value for value in full_life() if value["event"] != "invitation.delivered"]
    assert any("without a delivered notice" in one for one in checked(values))
    assert any("without delivered and expired" in one for one in checked(values))


def test_an_adverse_event_after_the_answer_is_found() -> None:
    values = values_of(delivered().answers(2, "granted").life)
    more = values_of(expired().life)[2:]
    for number, value in enumerate(more, start=len(values) + 1):
        value.update(sequence=number, event_id=f"more{number}")
    assert any("answered or closed" in one for one in checked(values + more))


def test_an_unfinished_cycle_before_the_next_is_found() -> None:
    gone = ("consent.granted", "consent.withdrawn", "throttle.lifted")
    values = [value for value in full_life() if value["event"] not in gone]
    assert any("still open" in one for one in checked(values))


def test_a_canary_is_found_even_escaped() -> None:
    record = OracleRecord("byline.decisions", 0, 5, b"k", b'{"x": "\\u738b"}')
    assert check_no_text([record], ["王"]) == ["byline.decisions-0@5: carries '王'"]
    assert check_no_text([record], ["李"]) == []


NOW_MS = 1_768_046_400_000
READING = {
    "platform": "weibo",
    "account_id": "a",
    "followers": 5000,
    "observed_at": "2026-01-10T12:00:00Z",
}


def letter(record: OracleRecord, **changes: Any) -> OracleRecord:
    """The dead letter of an input."""
    value = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": "2026-01-10T12:00:00.000Z",
        "reason": "wrong_type",
        "field": None,
        "value_digest": digest(record.value),
        "value_bytes": len(record.value or b""),
        "refused_at": "2026-01-10T12:00:00.000Z",
        **changes,
    }
    raw = json.dumps(value).encode()
    return OracleRecord("byline.dead-letters", record.partition, 0, record.key, raw)


def judged(record: OracleRecord, *letters: OracleRecord) -> list[str]:
    """Breaches for one input and its letters."""
    return check_dead_letters(letters, [record], partitions=PARTITIONS, platforms={"weibo"})


def test_a_good_input_is_not_refused_and_a_bad_one_is() -> None:
    good = input_record("follower-counts", READING, NOW_MS, 0)
    assert judged(good) == []
    assert "nothing is wrong" in judged(good, letter(good))[0]
    for changes in ({"followers": "5"}, {"followers": -1}, {"platform": "nowhere"}):
        bad = input_record("follower-counts", {**READING, **changes}, NOW_MS, 0)
        assert judged(bad, letter(bad)) == []
        assert "should have been refused" in judged(bad)[0]
    tombstone = input_record("category-changes", None, NOW_MS, 0, KEY)
    assert judged(tombstone) == []


def test_names_keys_partitions_and_skew() -> None:
    value = {"platform": "weibo", "account_id": "a", "change": "closed"}
    value["observed_at"] = "2026-01-10T12:00:00Z"
    good = input_record("account-changes", value, NOW_MS, 0)
    assert judged(good) == []
    named = input_record("account-changes", {**value, "姓名": "x"}, NOW_MS, 0)
    assert "should have been refused" in judged(named)[0]
    assert "should have been refused" in judged(replace(good, key=b"weibo:b"))[0]
    assert "should have been refused" in judged(replace(good, partition=9))[0]
    ahead = input_record("account-changes", value, NOW_MS - 301_000, 0)
    refused = letter(ahead, timestamp="2026-01-10T11:54:59.000Z")
    assert judged(ahead) == []
    assert "nothing is wrong" in judged(ahead, refused)[0]


def test_a_wrong_letter_is_found() -> None:
    bad = input_record("follower-counts", {**READING, "followers": -1}, NOW_MS, 0)
    assert "value_digest" in judged(bad, letter(bad, value_digest="0" * 64))[0]
    assert "value_bytes" in judged(bad, letter(bad, value_bytes=1))[0]
    assert "twice" in judged(bad, letter(bad), letter(bad))[0]
    assert "no such input" in judged(bad, letter(bad), letter(bad, offset=9))[0]
    assert check_keys([letter(bad)], [bad]) == []
    odd = replace(bad, key=b"no key")
    assert "its key is" in check_keys([letter(odd)], [odd])[0]


@pytest.mark.parametrize("wrong", ["exempted", "hold", "label", "small", "never"])
def test_adverse_events_on_the_untouchable_are_found(wrong: str) -> None:
    label = {"platform": "weibo", "account_id": "a", "category": "财经"}
    label["observed_at"] = READING["observed_at"]
    inputs = [input_record("category-changes", label, NOW_MS, 0)]
    inputs.append(input_record("follower-counts", READING, NOW_MS, 0))
    values = values_of(expired().life)
    policies = {"weibo": ENFORCE}
    assert check_untouchable(records_of(values), inputs, policies) == []
    soon = NOW_MS + 120_000
    if wrong == "exempted":
        value = {"change": "exempted", "observed_at": "2026-01-10T12:02:00Z"}
        inputs.append(input_record("account-changes", value, soon, 0, KEY))
    elif wrong == "hold":
        value = {"command": "hold", "issued_at": "2026-01-10T12:02:00Z", "control_id": "c"}
        inputs.append(input_record("controls", value, soon, 0, KEY))
    elif wrong == "label":
        inputs.append(input_record("category-changes", None, soon, 1, KEY))
    elif wrong == "small":
        inputs[1] = input_record("follower-counts", {**READING, "followers": 999}, NOW_MS, 0)
    else:
        inputs[0] = input_record("category-changes", {**label, "category": "娱乐"}, NOW_MS, 0)
    assert check_untouchable(records_of(values), inputs, policies) != []


def test_the_sample_is_partitioned_as_java_would() -> None:
    assert partition_of(KEY.encode(), 1) == 0
    assert wire_time(delivered().life.clock) == "2026-01-10T12:01:00.000Z"
