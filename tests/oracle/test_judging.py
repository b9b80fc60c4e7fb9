"""What is refused, sentence by sentence.

schemas/CONTRACT.md, "What is refused".
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.oracle.dead_letters import check_dead_letters, check_keys, digest
from tests.oracle.judging import folded_name, has_name, judge, sampled
from tests.oracle.records import EPOCH, OracleRecord
from tests.oracle.sample import PARTITIONS, input_record
from tests.oracle.test_wire import NOW_MS, READING, letter

FLOORS = {"weibo": Decimal(900)}
CHANGE = {"platform": "weibo", "account_id": "a", "change": "closed"}
CHANGE |= {"observed_at": "2026-01-10T12:00:00Z"}
LABEL = {"platform": "weibo", "account_id": "a", "category": "财经"}
LABEL |= {"observed_at": "2026-01-10T12:00:00Z"}
CONTROL = {"platform": "weibo", "account_id": "a", "control_id": "c", "command": "hold"}
CONTROL |= {"actor": "op", "reason": "test", "issued_at": "2026-01-10T12:00:00Z"}


def verdict(name: str, value: Any, offset: int = 5, **changes: Any) -> str:
    """What is to happen to an input."""
    record = replace(input_record(name, value, NOW_MS, offset), **changes)
    return judge(
        record, partitions=PARTITIONS, prefix="byline.", platforms={"weibo"}, floors=FLOORS
    )


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "NAME",
        "ＮＡＭＥ",
        "real_name",
        "realName",
        "Real-Name",
        "firstName",
        "id_No",
        "idNo",
    ],
)
def test_name_fields_are_compared_folded(field: str) -> None:
    assert has_name({field: "x"})
    assert verdict("account-changes", {**CHANGE, field: "x"}) == "refuse"


@pytest.mark.parametrize("field", ["姓名", "身份证", "身份证_号码", "ID number"])
def test_chinese_and_spaced_spellings_are_caught(field: str) -> None:
    assert has_name({field: "x"})


@pytest.mark.parametrize("value", [{"a": {"b": {"name": 1}}}, {"a": [1, [{"姓名": 2}]]}])
def test_name_fields_are_found_at_any_depth(value: dict) -> None:
    assert has_name(value)


@pytest.mark.parametrize("field", ["names", "filename", "hostname", "id", "number", "n_a"])
def test_other_fields_are_ignored(field: str) -> None:
    assert not has_name({field: "x"}), folded_name(field)
    assert verdict("account-changes", {**CHANGE, field: "x"}) == "accept"


@pytest.mark.parametrize("name", ["follower-counts", "category-changes"])
@pytest.mark.parametrize(
    ("at", "what"),
    [
        ("2004-12-31T23:59:59Z", "refuse"),
        ("2005-01-01T00:00:00Z", "accept"),
        ("0001-01-01T00:00:00Z", "refuse"),
        ("2026-01-10T12:05:00Z", "accept"),
        ("2026-01-10T12:05:01Z", "refuse"),
    ],
)
def test_observed_at_lies_between_2005_and_the_entry(name: str, at: str, what: str) -> None:
    value = READING if name == "follower-counts" else LABEL
    assert verdict(name, {**value, "observed_at": at}) == what


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_the_time_of_a_word_is_never_a_reason_to_refuse_it(at: str) -> None:
    assert verdict("account-changes", {**CHANGE, "observed_at": at}) == "accept"
    assert verdict("controls", {**CONTROL, "issued_at": at}) == "accept"


@pytest.mark.parametrize("field", ["expires_at", "until"])
def test_an_end_before_2005_is_refused(field: str) -> None:
    assert verdict("controls", {**CONTROL, field: "2004-01-01T00:00:00Z"}) == "refuse"
    assert verdict("category-changes", {**LABEL, "valid_until": "1970-01-01T00:00:00Z"}) == "refuse"


def test_the_moment_of_entry_is_the_brokers_or_the_earlier_one() -> None:
    record = OracleRecord("t", 0, 0, None, None, timestamp_ms=NOW_MS)
    stamped = EPOCH + timedelta(milliseconds=NOW_MS)
    before, after = stamped - timedelta(seconds=1), stamped + timedelta(seconds=1)
    assert record.entered(before) == record.entered(after) == stamped
    producers = replace(record, append_time=False)
    assert (producers.entered(before), producers.entered(after)) == (before, stamped)


@pytest.mark.parametrize("offset", [0, 1025, 2050, 1024 * 1024])
def test_of_those_below_the_floor_a_sample_is_checked(offset: int) -> None:
    low = {**READING, "followers": 5}
    assert sampled(offset)
    assert verdict("follower-counts", low, offset, partition=0) == "refuse"
    assert verdict("follower-counts", low, offset + 1, partition=0) == "either"
    assert verdict("follower-counts", READING, offset + 1, partition=0) == "refuse"


def test_a_letter_from_below_the_floor_is_under_its_keys_digest() -> None:
    low = input_record("follower-counts", {**READING, "followers": 5}, NOW_MS, 0)
    hashed = (digest(low.key) or "").encode()
    assert check_keys([replace(letter(low), key=hashed)], [low]) == []
    label = input_record("category-changes", LABEL, NOW_MS, 0)
    assert check_keys([replace(letter(label), key=hashed)], [label]) != []


def test_an_unreadable_batch_is_one_letter_over_its_offsets() -> None:
    record = input_record("follower-counts", READING, NOW_MS, 7)
    batch = {"reason": "unreadable_batch", "value_digest": None, "value_bytes": 0}
    whole = letter(record, offset=3, last_offset=6, **batch)
    options: dict[str, Any] = {"partitions": PARTITIONS, "platforms": {"weibo"}}
    assert check_dead_letters([whole], [record], **options) == []
    wider = letter(record, offset=3, last_offset=7, **batch)
    assert "7 was read" in check_dead_letters([wider], [record], **options)[0]
    endless = letter(record, offset=3, **batch)
    assert "last offset" in check_dead_letters([endless], [record], **options)[0]


def test_only_what_protects_nobody_needs_approval() -> None:
    bulk = {**CONTROL, "bulk_id": "b"}
    assert verdict("controls", bulk) == "accept"
    assert verdict("controls", {**bulk, "command": "settle"}) == "either"
