"""Whatever lies in the topics, the auditor goes on, and judges what can be judged."""

import functools
import json
import re

import pytest

from schemas.topics import DEAD_LETTERS
from streams.operate.audit.auditor import READS, audit
from streams.operate.audit.chain import verify
from streams.operate.audit.odd import BAD, OPEN, mapping, parse, text
from streams.operate.audit.records import Record, iso
from tests.operate.recording import Tape, held, invited

DEEP = b"[" * 100_000
ODD: dict[str, bytes | None] = {
    "nothing": None,
    "empty": b"",
    "no UTF-8": b"\xff\xfe{}",
    "no JSON": b"{",
    "deep": DEEP,
    "deep and closed": b"[" * 5000 + b"]" * 5000,
    "a list": b"[1]",
    "a number without end": b"9" * 10_000,
    "in a field": b'{"number":' + b"9" * 10_000 + b"}",
    "NaN": b'{"number":NaN}',
    "half a character": rb'{"kind":"\ud800","event":"\udfff","number":1,"hash":"","previous":""}',
    "an unknown kind": b'{"kind":"novel","number":1,"partition":0,"previous":"","hash":""}',
    "a decision without anything": b'{"kind":"decision","number":1,"hash":"","previous":""}',
    "an event without anything": b'{"event":"throttle.applied"}',
    "an unknown event": b'{"event":"throttle.cursed","event_id":[]}',
    "an event that is a list": b'{"event":[],"event_id":{}}',
    "a dead letter of strange parts": b'{"topic":7,"partition":"x","offset":null}',
    "a switch of strange parts": b'{"scope":[],"switch":{},"on":"yes","issued_at":9}',
    "a policy of strange parts": b'{"notice":[],"consequence":7,"stability":null}',
}
SHOWN = {
    *("chain_broken", "log_unreadable", "invalid_event", "policy_altered"),
    "dead_letter_wrong",
}
KEYS = (None, b"", b"\xff", b"weibo:d1", b"weibo:" + b"x" * 5000)


@functools.cache
def sound() -> tuple[Record, ...]:
    return tuple(held().records())


def test_a_time_at_the_end_of_the_calendar_ends_no_audit() -> None:
    """A forged delivery of then, and the policy's window, lie behind the year 9999."""
    last = rb'"delivered_at":"9999-12-31'
    forged = [
        it._replace(value=re.sub(rb'"delivered_at":"2024-..-..', last, it.value or b""))
        for it in sound()
    ]
    assert {it.name for it in audit(forged)} >= {"window_cut_short"}
    assert iso(10**18) == "9999-12-31T23:59:59.999Z"
    assert iso(-(10**18)) == "0001-01-01T00:00:00.000Z"


@pytest.mark.slow
@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", [topic.name for topic in READS])
def test_no_record_ends_the_audit(name: str, what: str) -> None:
    odd = [
        Record(name, 0, 9_000 + number, -1, key, ODD[what], ((b"\xff\xfe", None),))  # type: ignore[arg-type]
        for number, key in enumerate(KEYS)
    ]
    found = audit([*sound(), *odd])
    names = {it.name for it in found}
    assert names <= SHOWN
    if name == "decisions":
        assert "log_unreadable" in names
        assert verify([it for it in [*sound(), *odd] if it.topic == name])
    if name == DEAD_LETTERS.name:
        assert names == {"dead_letter_wrong"}


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("topic", ["consent-answers", "controls", "account-changes", "switches"])
def test_an_odd_input_that_was_read_is_judged_and_no_more(topic: str, what: str) -> None:
    tape = invited(Tape(), "d9").put(topic, "weibo:d9", ODD[what])
    found = audit(tape.days(2).records())
    assert found == []


def test_a_value_is_read_in_the_one_way() -> None:
    assert parse(b'{"a": [1, "x"]}') == {"a": [1, "x"]}
    assert parse(DEEP) is OPEN
    assert parse(b"[" * 200 + b"]" * 200) is OPEN
    assert parse(b'"\\ud800"') is OPEN
    assert parse(b"\xff") is parse(b"{") is parse(b"NaN") is BAD
    assert parse(b"9" * 5000) is OPEN
    assert mapping(b"[]") == mapping(None) == {}
    assert text(b"\xff") == "\ufffd"


def test_headers_are_compared_whatever_they_are() -> None:
    records = [
        it._replace(headers=((b"\xff", None), *it.headers)) if "event_id" in str(it.value) else it  # type: ignore[arg-type]
        for it in sound()
    ]
    assert json.dumps([it.name for it in audit(records)]) == "[]"


@pytest.mark.parametrize("field", ["label_observed_at", "observed_at"])
@pytest.mark.parametrize("time", ["", "x", "024-01-01T00:00:00.000Z"])
def test_a_decision_whose_facts_have_no_time_ends_no_audit(field: str, time: str) -> None:
    records = list(sound())
    for place, it in enumerate(records):
        plain = mapping(it.value)
        if it.topic == "decisions" and plain.get("events") and plain["facts"].get(field):
            plain = {**plain, "facts": {**plain["facts"], field: time}}
            records[place] = it._replace(value=json.dumps(plain).encode())
    assert "log_unreadable" in {it.name for it in audit(records)}
