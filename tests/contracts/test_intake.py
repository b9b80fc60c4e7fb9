"""From records to dead letters: every reason reached, exactly the bad ones, never the payload."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from schemas.cures import CURES
from schemas.enums import Refused
from schemas.inputs import INPUT_MODELS, InputName
from schemas.records import DeadLetter
from streams.core.model.instants import rfc3339
from tests.contracts.reference import GOOD
from tests.contracts.test_decode import BYTES
from tests.core.given import MINUTE, START, Day, GivenRecord

KEY = "weibo:a1"
SECRET = "张三丰"
NAMES: list[InputName] = list(INPUT_MODELS)


def put(name: InputName, key: str | None, value: Any, **given: Any) -> Day:
    """One record, into a day of its own."""
    return Day(**given).put(name, key, value)


def key_of(name: InputName) -> str:
    """The key of the good record."""
    return "*:adverse_off" if name == "switches" else KEY


REACHED: list[tuple[Refused, InputName, str | None, Any]] = [
    (Refused.NOT_JSON, "controls", KEY, b"{"),
    (Refused.NOT_JSON, "consent-answers", KEY, None),
    (Refused.WRONG_TYPE, "controls", KEY, b"[]"),
    (Refused.WRONG_TYPE, "follower-counts", KEY, {**GOOD["follower-counts"], "followers": "5"}),
    (Refused.MISSING_FIELD, "consent-answers", KEY, {"platform": "weibo", "account_id": "a1"}),
    (Refused.BAD_ID, "follower-counts", "weibo:é", {**GOOD["follower-counts"], "account_id": "é"}),
    (Refused.BAD_ID, "category-changes", "weibo:é", None),
    (Refused.BAD_ID, "category-changes", None, None),
    (Refused.KEY_MISMATCH, "follower-counts", "weibo:a2", GOOD["follower-counts"]),
    (Refused.KEY_MISMATCH, "follower-counts", None, GOOD["follower-counts"]),
    (Refused.KEY_MISMATCH, "switches", "weibo:adverse_off", GOOD["switches"]),
    (
        Refused.UNKNOWN_PLATFORM,
        "follower-counts",
        "zhihu:a1",
        {**GOOD["follower-counts"], "platform": "zhihu", "followers": 3},
    ),
    (Refused.UNKNOWN_PLATFORM, "category-changes", "zhihu:a1", None),
    (
        Refused.UNKNOWN_PLATFORM,
        "switches",
        "zhihu:adverse_off",
        {**GOOD["switches"], "scope": "zhihu"},
    ),
    (Refused.OUT_OF_RANGE, "follower-counts", KEY, {**GOOD["follower-counts"], "followers": -1}),
    (
        Refused.TIME_AHEAD,
        "follower-counts",
        KEY,
        {**GOOD["follower-counts"], "observed_at": rfc3339(START + 5 * MINUTE + 1)},
    ),
    (
        Refused.TIME_BEFORE_2005,
        "follower-counts",
        KEY,
        {**GOOD["follower-counts"], "observed_at": "2004-12-31T23:59:59.999Z"},
    ),
    (Refused.TOO_LARGE, "controls", KEY, b"[" + b" " * 65536 + b"]"),
    (Refused.NAME_FIELD, "follower-counts", KEY, {**GOOD["follower-counts"], "real_name": SECRET}),
    (Refused.NAME_FIELD, "controls", KEY, {**GOOD["controls"], "x": [{"姓名": SECRET}]}),
]


@pytest.mark.parametrize(("reason", "name", "key", "value"), REACHED)
def test_every_reason_is_reached(
    reason: Refused, name: InputName, key: str | None, value: Any
) -> None:
    day = put(name, key, value)
    assert [letter["reason"] for letter in day.dead_letters] == [reason]
    assert day.events == []
    letter = DeadLetter.model_validate(day.dead_letters[0])
    raw = msgspec.json.encode(value) if isinstance(value, dict) else value
    digest = None if raw is None else hashlib.sha256(raw).hexdigest()
    assert (letter.value_digest, letter.value_bytes) == (digest, len(raw or b""))
    assert (letter.topic, letter.offset, letter.partition) == (f"byline.{name}", 0, 0)


def test_no_reason_is_left_out() -> None:
    elsewhere = {Refused.WRONG_PARTITION, Refused.NOT_APPROVED, Refused.UNREADABLE_BATCH}
    assert {row[0] for row in REACHED} | elsewhere == set(Refused)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "switches"])
def test_a_key_that_belongs_elsewhere_is_refused(name: InputName) -> None:
    day = Day(partition_count=2, partition_of=lambda _: 1)
    assert day.put(name, KEY, GOOD[name]).dead_letters[0]["reason"] == "wrong_partition"
    if name == "category-changes":
        assert day.put(name, KEY, None).dead_letters[1]["reason"] == "wrong_partition"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "switches"])
def test_the_first_letter_of_another_partitioner_says_how_to_set_it(name: InputName) -> None:
    day = Day(partition_count=2, partition_of=lambda _: 1).put(name, KEY, GOOD[name])
    letter = DeadLetter.model_validate(day.dead_letters[0])
    assert letter.cure == CURES[Refused.WRONG_PARTITION]
    assert "librdkafka (confluent-kafka, kcat, rdkafka): partitioner=murmur2_random" in letter.cure
    assert "cure" not in put(name, KEY, b"{").dead_letters[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_record_leaves_nothing_of_what_it_said(name: InputName) -> None:
    for field in GOOD[name]:
        for odd in (SECRET, {"name": SECRET}, [SECRET], SECRET * 99):
            day = put(name, key_of(name), {**GOOD[name], field: odd})
            kept = b"".join(raw for store in day.tables.state.values() for raw in store.values())
            sent = (
                b"".join((key or b"") + (value or b"") for _, key, value, _ in day.tables.raw)
                + json.dumps(day.dead_letters, ensure_ascii=False).encode()
            )
            assert SECRET.encode() not in kept + sent
            assert SECRET not in str(day.partition.counts)


def test_a_key_that_is_none_is_never_copied() -> None:
    for key in (SECRET, f"weibo:{SECRET}", "weibo", "weibo:a1:b", "*:adverse_off"):
        day = put("follower-counts", key, GOOD["follower-counts"])
        (letter,) = [raw for raw in day.tables.raw if raw[0] == "dead-letters"]
        assert letter[1] == hashlib.sha256(key.encode()).hexdigest().encode()
    day = put("follower-counts", "weibo:a2", GOOD["follower-counts"])
    assert next(raw for raw in day.tables.raw if raw[0] == "dead-letters")[1] == b"weibo:a2"


def test_of_a_batch_exactly_the_bad_ones_are_dead_letters() -> None:
    good = msgspec.json.encode(GOOD["follower-counts"])
    records: list[tuple[str, bytes | None]] = [("good", good)]
    for what, raw in BYTES.items():
        records += [(what, raw), ("good", good), ("none", None)]
    for only_good in (False, True):
        kept = [raw for what, raw in records if not only_good or what == "good"]
        day = Day()
        batch = [GivenRecord(offset, START, KEY.encode(), raw) for offset, raw in enumerate(kept)]
        day.partition.step(day.tables, START, [("follower-counts", batch)])
        refused = {letter["offset"] for letter in day.dead_letters}
        alone = {
            record.offset
            for record in batch
            if put("follower-counts", KEY, record.value).dead_letters
        }
        assert refused == alone
        assert bool(refused) is not only_good


def test_unknown_fields_are_ignored_and_copied_nowhere() -> None:
    for name in NAMES:
        day = put(name, key_of(name), {**GOOD[name], "x": [SECRET], SECRET: {"y": SECRET}})
        assert day.dead_letters == []
        kept = b"".join(raw for store in day.tables.state.values() for raw in store.values())
        sent = b"".join(value or b"" for _, _, value, _ in day.tables.raw)
        assert SECRET.encode() not in kept + sent


def test_a_reserved_key_of_the_state_is_no_account() -> None:
    for key in ("#brakes", "#chain", "#policies", "~" + "0" * 64):
        day = put("follower-counts", key, GOOD["follower-counts"])
        assert day.dead_letters[0]["reason"] == "key_mismatch"
