"""Inputs, good and bad, that the worker and validators of others have to judge alike.

A hand-made table for each input topic, and some thousands of mutations of good records. Where the
worker refuses what a JSON Schema takes, the reason is one of `DIFFERENCES`; there is no case the
other way round. The schema speaks of one value: whether key, partition, platform and time fit is
not its matter.
"""

import json
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from jsonschema import Draft202012Validator, FormatChecker

from schemas import export
from schemas.enums import Refused
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.inputs.plain import Refusal
from tests.contracts.reference import GOOD, ReferenceUnreadable, by_the_core, read
from tests.contracts.test_decode import BARE, BYTES, ODD, TIMES

MUTATIONS = 4_000
SEED = 17
TIME_FIELDS = ("observed_at", "occurred_at", "issued_at", "valid_until", "expires_at", "until")

DIFFERENCES = {
    "name field": "a field, at any depth, that is known to carry a person's name or number",
    "too large": "a value over 64 KiB",
    "JSON": "JSON that not every parser reads alike: nested deeper than 64 levels, with half of a"
    " surrogate pair, or with a number beyond a double's range",
    "twice": "a field that stands twice, if one of its values is wrong",
    "instant": "a leap second, or an instant outside of the years 1 to 9999",
    "line feed": "a line feed at the end of an id or a time, which Python's `$` allows",
}
"""What the worker refuses although a JSON Schema may take it: kind -> in words."""


class CorpusCase(NamedTuple):
    """One record's value. `taken`: whether the worker takes it; None: the table does not say."""

    topic: InputName
    raw: bytes
    taken: bool | None = None


def _case(topic: InputName, taken: bool | None, **changes: Any) -> CorpusCase:
    return CorpusCase(
        topic, json.dumps({**GOOD[topic], **changes}, ensure_ascii=False).encode(), taken
    )


def table() -> Iterator[CorpusCase]:
    """The hand-made table: what each field may and may not hold, topic by topic."""
    for topic, model in INPUT_MODELS.items():
        yield _case(topic, True)
        yield _case(topic, True, unknown={"a": [1, None]}, ce_id="x")
        for field, info in model.model_fields.items():
            rest = {name: value for name, value in GOOD[topic].items() if name != field}
            yield CorpusCase(topic, json.dumps(rest).encode(), not info.is_required())
            nothing = not info.is_required() and info.default is None
            yield _case(topic, nothing, **{field: None})
            for wrong in ([], {}, "", 1.5, -1):
                yield _case(topic, False, **{field: wrong})
            for text in ("a b", "张三"):
                yield _case(topic, field == "category", **{field: text})
        for time in TIMES:
            field = next(name for name in TIME_FIELDS if name in GOOD[topic])
            yield _case(topic, None, **{field: time})
    reading = GOOD["follower-counts"]
    numbers = {"0": True, "10000000000": True, "1000000.0": True, "1e6": True, "1.0E+6": True}
    numbers |= {"-0.0": True, "1.5": False, "-1": False, "10000000001": False, "1e11": False}
    for written, taken in numbers.items():
        raw = msgspec.json.encode(reading).replace(b"1500", written.encode())
        yield CorpusCase("follower-counts", raw, taken)
    for raw in BYTES.values():
        yield CorpusCase("follower-counts", raw)
    yield _case("category-changes", True, category="长" * 64)
    yield _case("category-changes", False, category="长" * 65)
    yield _case("switches", True, scope="weibo")
    yield _case("switches", False, on=1)
    yield _case("notice-receipts", False, invitation_id="a\n")
    yield _case("controls", False, actor="张三")
    yield _case("controls", False, real_name="x")


def mutations(count: int = MUTATIONS, seed: int = SEED) -> Iterator[CorpusCase]:
    """Good records of every topic with up to three fields changed, and some with broken bytes."""
    chance = random.Random(seed)
    topics: list[InputName] = list(INPUT_MODELS)
    for number in range(count):
        topic = topics[number % len(topics)]
        record = dict(BARE.get(topic, GOOD[topic]) if chance.random() < 0.5 else GOOD[topic])
        for _ in range(chance.choice((1, 1, 2, 3))):
            field = chance.choice([*GOOD[topic], "extra"])
            if chance.random() < 0.2:
                record.pop(field, None)
            else:
                record[field] = _value(chance, topic)
        text = json.dumps(record, ensure_ascii=chance.random() < 0.5)
        raw = bytearray(text.encode("utf-8", "surrogatepass"))
        if chance.random() < 0.1:
            at = chance.randrange(len(raw))
            raw[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        yield CorpusCase(topic, bytes(raw))


def _value(chance: random.Random, topic: InputName) -> Any:
    kind = chance.random()
    if kind < 0.4:
        return chance.choice(ODD)
    if kind < 0.7:
        return chance.choice(list(GOOD[topic].values()))
    if kind < 0.85:
        return chance.choice((chance.randrange(10**10), float(chance.randrange(10**7)), 2.5e5))
    return chance.choice(("", "a", "z9._~-")) * chance.randrange(1, 70)


def worker_takes(case: CorpusCase) -> bool:
    """Whether the shipped decoder and checks of form take it, key and place left aside."""
    return not isinstance(by_the_core(case.topic, case.raw), Refusal)


_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value.upper()) is not None


_schemas = export.schemas()
SCHEMAS = {name: _schemas[f"inputs/{name}.json"] for name in INPUT_MODELS}
_validators = {
    name: Draft202012Validator(schema, format_checker=_formats) for name, schema in SCHEMAS.items()
}


def jsonschema_takes(case: CorpusCase) -> bool:
    """Whether Python's `jsonschema` takes it, formats checked."""
    try:
        plain = json.loads(case.raw.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return _validators[case.topic].is_valid(plain)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def difference(case: CorpusCase) -> str | None:
    """The kind of `DIFFERENCES` for which the worker refuses a value of the right form, if any."""
    refusal = by_the_core(case.topic, case.raw)
    if not isinstance(refusal, Refusal):
        return None
    if refusal.reason is Refused.NAME_FIELD:
        return "name field"
    if refusal.reason is Refused.TOO_LARGE:
        return "too large"
    if refusal.reason is Refused.NOT_JSON:
        return "JSON"
    try:
        plain, earlier = read(case.raw)
    except ReferenceUnreadable:
        return "JSON"
    if earlier:
        return "twice"
    said = plain.get(refusal.field or "")
    if isinstance(said, str) and said.endswith("\n"):
        return "line feed"
    return "instant" if refusal.field in TIME_FIELDS else None
