"""The fast decoder against the models: both accept with the same value, or both refuse."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.enums import NAME_FIELDS, Refused
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.inputs.decode import STRUCTS, decode
from streams.core.inputs.plain import Refusal
from tests.contracts.reference import (
    GOOD,
    INSTANT,
    WHO,
    alike,
    by_the_contract,
    by_the_core,
    says_yes_at_once,
)

NAMES: list[InputName] = list(INPUT_MODELS)
TIMES = [
    "2024-01-01T00:00:00Z",
    "2024-01-01t00:00:00z",
    "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00",
    "2024-01-01T00:00:00+08:00",
    "2024-01-01T00:00:00-00:00",
    "2024-01-01T00:00:00+14:30",
    "2024-01-01T00:00:00+23:59",
    "2024-01-01T00:00:00-23:59",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00+08:60",
    "2024-01-01T00:00:00+0800",
    "2024-01-01T00:00:00+08",
    "2024-01-01T24:00:00Z",
    "2023-12-31T23:59:60Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:00.5Z",
    "2024-01-01T00:00:00.123456789Z",
    "2024-01-01T00:00:00.1234565Z",
    "2024-01-01T00:00:00.9999995+08:00",
    "2024-01-01T00:00:00.999999499Z",
    "2024-01-01T00:00:00.1234567891Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01T00:00Z",
    "2024-01-01",
    "20240101T000000Z",
    "2024-W01-1T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+10:00",
    "9999-12-31T23:59:59-10:00",
    "9999-12-31T23:59:59.9999999Z",
    "-2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00Z\n",
    " 2024-01-01T00:00:00Z",
    "٢٠٢٤-01-01T00:00:00Z",
    "2024-01-01T00:00:00Z[Asia/Shanghai]",
    "now",
    "",
    "1704067200",
]
NUMBERS = [0, 1, -1, -0.0, 1.0, 1e6, 5.5, 10**10, 10**10 + 1, 2**63, 2**64, 10**30, True, False]
TEXTS = [
    "",
    "a",
    "a1",
    "A" * 64,
    "A" * 65,
    "a" * 128,
    "a" * 129,
    "a b",
    "a:b",
    "a~b",
    "a\n",
    "\u0000",
    "张三",
    "é",
    "😀" * 64,
    "😀" * 65,
    "*",
    "weibo",
    "Weibo",
    "w",
    "1weibo",
    "organic",
    "ORGANIC",
    "granted",
    "true",
    "5",
]
ODD: list[Any] = [*TIMES, *NUMBERS, *TEXTS, None, [], {}, ["a"], {"a": 1}]


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_are_the_models_and_so_is_what_may_be_absent(name: InputName) -> None:
    model = INPUT_MODELS[name].model_fields
    struct = {info.name: info for info in msgspec.structs.fields(STRUCTS[name])}
    assert list(struct) == list(model)
    for field, info in model.items():
        assert struct[field].required is info.is_required(), field
        if not info.is_required():
            assert struct[field].default == info.default, field


@pytest.mark.parametrize("name", NAMES)
def test_the_good_record_is_good(name: InputName) -> None:
    raw = msgspec.json.encode(GOOD[name])
    assert by_the_contract(name, raw) is not None
    same, said = alike(name, raw)
    assert same, said


@pytest.mark.parametrize("name", NAMES)
def test_every_field_with_every_odd_value(name: InputName) -> None:
    for field in GOOD[name]:
        absent = {key: value for key, value in GOOD[name].items() if key != field}
        for record in (absent, *({**GOOD[name], field: odd} for odd in ODD)):
            same, said = alike(name, json.dumps(record).encode())
            assert same, said


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_the_closed_lists_is_taken_and_no_other(name: InputName) -> None:
    schema = INPUT_MODELS[name].model_json_schema()
    lists = {key: one["enum"] for key, one in schema.get("$defs", {}).items()}
    assert lists
    for field in GOOD[name]:
        told = json.dumps(schema["properties"][field])
        for words in (words for key, words in lists.items() if f"$defs/{key}" in told):
            for word in words:
                raw = msgspec.json.encode({**GOOD[name], field: word})
                assert not isinstance(by_the_core(name, raw), Refusal), (field, word)
                raw = msgspec.json.encode({**GOOD[name], field: word + "x"})
                assert isinstance(by_the_core(name, raw), Refusal), (field, word)


def _with(text: str) -> bytes:
    return msgspec.json.encode(GOOD["follower-counts"])[:-1] + text.encode() + b"}"


BYTES: dict[str, bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + _with(""),
    "white space around": b" \n\t" + _with("") + b" \r\n",
    "something after it": _with("") + b"x",
    "a NUL after it": _with("") + b"\0",
    "twice": _with("") * 2,
    "cut short": _with("")[:-1],
    "UTF-16": _with("").decode().encode("utf-16"),
    "a list": b"[]",
    "a list of one": b"[" + _with("") + b"]",
    "a string": b'"x"',
    "a number": b"5",
    "null": b"null",
    "nothing": b"",
    "white space": b"  ",
    "a comma too many": _with(","),
    "a comment": _with("") + b"//x",
    "single quotes": _with("").replace(b'"', b"'"),
    "a leading zero": _with(',"x":01'),
    "a plus sign": _with(',"x":+1'),
    "half a float": _with(',"x":1.'),
    "a wrong constant": _with(',"x":tru'),
    "NaN": _with(',"x":NaN'),
    "Infinity": _with(',"x":-Infinity'),
    "a float past all": _with(',"x":1e999'),
    "a long integer": _with(',"x":' + "9" * 30),
    "an endless integer": _with(',"x":' + "9" * 6000),
    "a control character": _with(',"x":"a\nb"'),
    "a wrong escape": _with(',"x":"\\q"'),
    "half a surrogate": _with(',"x":"\\ud800"'),
    "the other half": _with(',"x":"\\udc00"'),
    "half a surrogate as a name": _with(',"\\ud800":1'),
    "a whole pair": _with(',"x":"\\ud83d\\ude00"'),
    "half a surrogate in bytes": _with(',"x":"') + b'\xed\xa0\x80"}',
    "bytes that are not UTF-8": _with("")[:-1] + b',"x":"\xff"}',
    "bytes that are not UTF-8 in a name": _with("")[:-1] + b',"\xff":1}',
    "an overlong form": _with("")[:-1] + b',"x":"\xc0\xaf"}',
    "an empty name": _with(',"":1'),
    "a field twice": _with(',"followers":7'),
    "a field twice, the first wrong": b'{"followers":"x",' + _with("")[1:],
    "a field twice, the first no id": b'{"account_id":"a:b",' + _with("")[1:],
    "a field twice, the second wrong": _with(',"followers":"x"'),
    "an unknown field twice": _with(',"x":1,"x":[]'),
    "a null where it may be absent": _with(',"cause":null'),
    **{f"{depth} levels": _with(',"x":' + "[" * depth + "]" * depth) for depth in (9, 63, 64)},
    **{f"{depth} lists": _with(',"x":' + "[" * depth + "]" * depth) for depth in (200, 480, 5000)},
    "480 objects": _with(',"x":' + '{"a":' * 480 + "1" + "}" * 480),
    "64 KiB": _with(',"x":"' + "a" * (64 * 1024 - len(_with("")) - 7) + '"'),
    "64 KiB and a byte": _with(',"x":"' + "a" * (64 * 1024 - len(_with("")) - 6) + '"'),
}


@pytest.mark.parametrize("what", BYTES)
def test_odd_bytes(what: str) -> None:
    same, said = alike("follower-counts", BYTES[what])
    assert same, said


def test_the_corpus_has_good_ones_too() -> None:
    taken = {what for what, raw in BYTES.items() if by_the_contract("follower-counts", raw)}
    assert taken == {
        "white space around",
        "a long integer",
        "a whole pair",
        "an empty name",
        "a field twice",
        "an unknown field twice",
        "9 levels",
        "63 levels",
        "64 KiB",
    }


BARE: dict[InputName, dict[str, Any]] = {
    "follower-counts": {**WHO, "followers": 1500, "observed_at": INSTANT},
    "category-changes": {**WHO, "category": "财经", "observed_at": INSTANT},
}
"""Of the busy topics: a record that says only what it must."""


@pytest.mark.parametrize("name", BARE)
def test_what_is_taken_without_a_second_look(name: InputName) -> None:
    def at_once(raw: bytes) -> bool:
        same, said = alike(name, raw)
        assert same, said
        value = decode(name, raw)
        return not isinstance(value, Refusal) and says_yes_at_once(value, raw)

    bare = json.dumps(BARE[name], ensure_ascii=False).encode()
    assert at_once(bare)
    assert at_once(bare.replace(b", ", b",").replace(b": ", b":"))
    for time in TIMES:
        if time.startswith("9999"):
            continue  # Too far ahead for a quick yes.
        raw = json.dumps({**BARE[name], "observed_at": time}, ensure_ascii=False).encode()
        assert at_once(raw) is (by_the_contract(name, raw) is not None), time
    for more in (
        {"real_name": "x"},
        {"x": 1},
        {"x": "\\" + '"'},
        {'observed_at":"2024-01-01T00:00:00Z': 1},
    ):
        assert not at_once(json.dumps({**BARE[name], **more}, ensure_ascii=False).encode())
    for twice in (b'"account_id":"a1"', b'"observed_at":"2024-01-01T00:00:00Z"', b'"name" :1'):
        assert not at_once(bare[:-1] + b"," + twice + b"}")
        assert not at_once(b"{" + twice + b"," + bare[1:])


PLAIN = st.recursive(
    st.sampled_from(ODD) | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[InputName, bytes]:
    """A record that began as a good one."""
    name = draw(st.sampled_from(NAMES))
    record = dict(BARE.get(name, GOOD[name]) if draw(st.booleans()) else GOOD[name])
    for _ in range(draw(st.integers(0, 3))):
        field = draw(st.sampled_from([*GOOD[name], "extra", "name", "x"]))
        if draw(st.booleans()):
            record.pop(field, None)
        else:
            record[field] = draw(PLAIN)
    text = json.dumps(record, ensure_ascii=draw(st.booleans()))
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2)) if draw(st.booleans()) else 0):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
        if not raw:
            break
    return name, bytes(raw)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(mutated())
def test_mutations_of_good_records(record: tuple[InputName, bytes]) -> None:
    same, said = alike(*record)
    assert same, said


@pytest.mark.parametrize("field", sorted(NAME_FIELDS))
def test_a_name_field_is_refused_wherever_it_stands_and_however_it_is_written(field: str) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in field)
    for text in (
        f',"{field}":"x"',
        f',"{field.upper()}":"x"',
        f',"{escaped}":"x"',
        f',"x":{{"{field}":null}}',
        f',"x":[[1,{{"y":{{"{escaped}":[]}}}}]]',
        f'," {field} ":1',
    ):
        refusal = by_the_core("follower-counts", _with(text))
        assert refusal == Refusal(Refused.NAME_FIELD), text


@pytest.mark.parametrize(
    ("name", "changes", "reason", "field"),
    [
        ("follower-counts", {"followers": -1}, Refused.OUT_OF_RANGE, "followers"),
        ("follower-counts", {"followers": 10**10 + 1}, Refused.OUT_OF_RANGE, "followers"),
        ("follower-counts", {"followers": 1.5}, Refused.WRONG_TYPE, "followers"),
        ("follower-counts", {"followers": 1e11}, Refused.OUT_OF_RANGE, "followers"),
        ("follower-counts", {"followers": 1e6, "cause": "magic"}, Refused.WRONG_TYPE, "cause"),
        ("follower-counts", {"followers": True}, Refused.WRONG_TYPE, "followers"),
        ("follower-counts", {"observed_at": "now"}, Refused.WRONG_TYPE, "observed_at"),
        ("follower-counts", {"cause": "magic"}, Refused.WRONG_TYPE, "cause"),
        ("follower-counts", {"account_id": "张三"}, Refused.BAD_ID, "account_id"),
        ("follower-counts", {"platform": "W"}, Refused.BAD_ID, "platform"),
        ("category-changes", {"category": ""}, Refused.OUT_OF_RANGE, "category"),
        ("category-changes", {"category": "x" * 65}, Refused.OUT_OF_RANGE, "category"),
        ("category-changes", {"valid_until": 5}, Refused.WRONG_TYPE, "valid_until"),
        ("notice-receipts", {"invitation_id": "a b"}, Refused.BAD_ID, "invitation_id"),
        ("controls", {"actor": "张三"}, Refused.BAD_ID, "actor"),
        ("controls", {"approved_by": "a b"}, Refused.BAD_ID, "approved_by"),
        ("switches", {"scope": "**"}, Refused.BAD_ID, "scope"),
        ("switches", {"on": 1}, Refused.WRONG_TYPE, "on"),
    ],
)
def test_a_refusal_names_its_reason_and_the_field(
    name: InputName, changes: dict[str, Any], reason: Refused, field: str
) -> None:
    raw = msgspec.json.encode({**GOOD[name], **changes})
    assert by_the_core(name, raw) == Refusal(reason, field)


def test_a_missing_field_is_named() -> None:
    for name in NAMES:
        for field, info in INPUT_MODELS[name].model_fields.items():
            if info.is_required():
                rest = {key: value for key, value in GOOD[name].items() if key != field}
                refusal = by_the_core(name, msgspec.json.encode(rest))
                assert refusal == Refusal(Refused.MISSING_FIELD, field)


WHOLE = {
    "1000000.0": 1_000_000,
    "1e6": 1_000_000,
    "1.5E+3": 1_500,
    "-0.0": 0,
    "1e10": 10**10,
    "10000000000.0": 10**10,
    "1e-400": 0,
}
FRACTIONS = ("1.5", "1e-3", "-1.0", "1e10000", "10000000001.0", '"1e6"', "[1e6]", "true")


@pytest.mark.parametrize("written", WHOLE)
def test_a_count_with_a_whole_value_is_an_integer_however_it_is_written(written: str) -> None:
    raw = msgspec.json.encode(BARE["follower-counts"]).replace(b"1500", written.encode())
    value = by_the_core("follower-counts", raw)
    assert not isinstance(value, Refusal)
    assert (value.followers, type(value.followers)) == (WHOLE[written], int)
    same, said = alike("follower-counts", raw)
    assert same, said


@pytest.mark.parametrize("written", FRACTIONS)
def test_a_count_with_another_value_is_none_however_often_it_is_written(written: str) -> None:
    good = msgspec.json.encode(BARE["follower-counts"])
    bad = good.replace(b"1500", written.encode())
    twice = good.replace(b'"followers":1500', b'"followers":%s,"followers":1e6' % written.encode())
    for raw in (bad, twice):
        assert isinstance(by_the_core("follower-counts", raw), Refusal)
        same, said = alike("follower-counts", raw)
        assert same, said
