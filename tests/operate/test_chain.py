"""The decision log's chain: one changed byte, one missing, one moved record, and where."""

import functools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.operate.audit.chain import Break, Verified, _text, canonical, digest, verify
from streams.operate.audit.records import Record
from tests.operate.recording import clean


@functools.cache
def log() -> tuple[Record, ...]:
    return tuple(record for record in clean().records() if record.topic == "decisions")


def faults(records: list[Record], from_number: int = 1) -> set[tuple[str, int | None]]:
    return {(it.fault, it.number) for it in verify(records, from_number)}


def test_the_log_of_a_sound_core_holds() -> None:
    assert verify(log()) == []
    assert len(log()) > 200


@pytest.mark.parametrize("position", [0, 1, 57, -1])
def test_each_byte_that_is_changed_is_found(position: int) -> None:
    start = max(0, position % len(log()) - 1)
    records = list(log()[start : start + 3])
    record = log()[position]
    position = records.index(record)
    assert record.value is not None
    number = json.loads(record.value)["number"]
    for byte in range(len(record.value)):
        changed = bytes([record.value[byte] ^ 1])
        value = record.value[:byte] + changed + record.value[byte + 1 :]
        records[position] = record._replace(value=value)
        found = verify(records, max(number - 1, 1))
        assert found, f"byte {byte} of record {number}"
        assert found[0].place == record.place


def test_a_missing_record_is_found_where_it_was() -> None:
    records = [*log()[:40], *log()[41:]]
    assert verify(records) == [
        Break(0, 41, records[40].place, "missing", "41 is not before 42"),
    ]


def test_a_moved_record_is_found_where_it_was_and_where_it_is() -> None:
    records = [*log()[:40], *log()[41:60], log()[40], *log()[60:]]
    assert {("missing", 41), ("moved", 41)} <= faults(records)


def test_two_records_that_changed_places_are_found() -> None:
    records = [*log()[:40], log()[41], log()[40], *log()[42:]]
    assert ("moved", 41) in faults(records)


def test_a_record_of_another_partition_is_found() -> None:
    records = [*log()[:9], log()[9]._replace(partition=3), *log()[10:]]
    assert any(fault == "moved" for fault, _ in faults(records))


def test_a_record_written_anew_with_a_true_hash_breaks_the_next() -> None:
    records = list(log())
    plain = json.loads(records[30].value or b"")
    plain["now"] = "2031-01-01T00:00:00.000Z"
    plain["hash"] = digest(plain)
    records[30] = records[30]._replace(value=canonical(plain))
    assert faults(records) == {("broken", 32)}


def test_a_record_twice_is_found() -> None:
    assert ("twice", 31) in faults([*log()[:31], log()[30], *log()[31:]])


def test_the_end_cut_off_is_no_break_but_the_beginning_is() -> None:
    assert verify(log()[:-5]) == []
    assert ("missing", 1) in faults(list(log()[5:]))


@pytest.mark.parametrize("number", [2, 50, 200])
def test_it_can_be_verified_from_any_number_on(number: int) -> None:
    broken = [log()[0]._replace(value=b"{}"), *log()[1:]]
    assert verify(broken, number) == []
    assert verify([*log()[: number + 2], *log()[number + 3 :]], number) != []


def test_what_ends_before_the_number_is_named_with_its_last_number() -> None:
    done = Verified(len(log()) + 1)
    for record in log():
        done.take(record, trusted=False)
    assert (done.records, done.passed) == (0, {0: len(log())})
    within = Verified(len(log()))
    for record in log():
        within.take(record, trusted=False)
    assert (within.records, within.passed, within.breaks) == (1, {}, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
@example({"\ufb33": 1, "\U0001f600": 2, "a": {"\U0001f600": 3, "\ue000": [4]}})
def test_the_fast_way_to_the_canonical_form_is_the_plain_one(value: Any) -> None:
    assert canonical(value) == _text(value).encode()


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    value = {"\u20ac": "Euro Sign", "\r": "Carriage Return", "1": "One", "\U0001f600": "Smiley"}
    value |= {"\u0080": "Control", "\u00f6": "Latin", "\ufb33": "Hebrew"}
    keys = list(json.loads(canonical(value)))
    assert keys == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical({"b": [True, None, 3], "a": "财经\n"}) == (
        '{"a":"财经\\n","b":[true,null,3]}'.encode()
    )
