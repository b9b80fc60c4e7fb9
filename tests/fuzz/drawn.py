"""Draws records of the input topics: good ones with mistakes in keys, fields, bytes and times."""

import json
import random
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas.inputs import INPUT_MODELS, InputName
from tests.contracts.reference import GOOD
from tests.contracts.test_decode import BARE, ODD, TEXTS, TIMES
from tests.contracts.test_name_fields import INNOCENT, SPELT
from tests.core.given import MINUTE, START, GivenRecord

CANARY = "赵钱孙李周吴"
"""Stands for a person's name. No id may hold it, and nothing that Byline writes does."""
TRACES = (
    CANARY.encode(),
    json.dumps(CANARY)[1:-1].encode(),
    CANARY.encode("utf-16-le"),
    CANARY.encode().decode("latin-1").encode(),
)
"""Its forms in bytes, that of a reader which takes UTF-8 for Latin-1 among them."""

_PLAIN = st.recursive(
    st.sampled_from([*ODD, CANARY]) | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=4,
)
_NEAR = st.sampled_from(
    [*TIMES, "2004-12-31T23:59:59.999Z", "2005-01-01T00:00:00Z", "2024-01-01T00:05:00.001Z"]
)
_EXTRA = st.sampled_from(["extra", "x", "", "name", *SPELT, *INNOCENT])
_KEYS = [
    b"weibo:a1",
    b"weibo:a2",
    b"weibo:",
    b"weibo",
    b"weibo:a1:b",
    b"zhihu:a1",
    b"WEIBO:a1",
    b"weibo:a1\n",
    b"\xff:a1",
    b"",
    CANARY.encode(),
    b"weibo:" + CANARY.encode(),
    b"*:adverse_off",
    b"weibo:adverse_off",
    None,
]


class FuzzCase(NamedTuple):
    """A record of an input topic."""

    name: InputName
    record: GivenRecord


@st.composite
def values(draw: st.DrawFn, name: InputName) -> bytes:
    """The JSON of a record that began as a good one, often with mistakes."""
    good = GOOD[name]
    record: dict[str, Any] = dict(BARE.get(name, good) if draw(st.booleans()) else good)
    if name == "category-changes" and draw(st.booleans()):
        record["category"] = CANARY
    if draw(st.integers(0, 5)) == 0:
        # One odd time and nothing else: there the short cuts and the full checks may part.
        record[next(it for it in good if it.endswith("_at"))] = draw(_NEAR)
        return json.dumps(record, ensure_ascii=False).encode()
    for _ in range(draw(st.integers(0, 3))):
        how = draw(st.integers(0, 4))
        field = draw(st.sampled_from(list(good)))
        if how == 0:
            record.pop(field, None)
        elif how == 1:
            record[field] = draw(_PLAIN)
        elif how == 2:
            record[field] = draw(st.sampled_from([*TEXTS, CANARY]) | _NEAR)
        elif how == 3:
            record[draw(_EXTRA)] = draw(_PLAIN)
        else:
            record[draw(_EXTRA)] = CANARY
    text = json.dumps(record, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        again = draw(st.sampled_from([*good, "x", "name"]))
        text = f"{text[:-1]},{json.dumps(again)}:{json.dumps(draw(_PLAIN))}}}"
    raw = text.encode("utf-8", "surrogatepass")
    return raw if draw(st.integers(0, 4)) else draw(damaged(raw))


@st.composite
def damaged(draw: st.DrawFn, raw: bytes, most: int = 3) -> bytes:
    """Bytes with some of them changed, dropped, doubled, or cut off at the end."""
    left = bytearray(raw)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(left)))
        how = draw(st.integers(0, 3))
        if how == 0:
            left[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
        elif how == 1 and at < len(left):
            left[at] ^= 1 << draw(st.integers(0, 7))
        elif how == 2:
            end = draw(st.integers(0, len(left)))
            left[at:at] = left[min(at, end) : max(at, end)]
        else:
            del left[at:]
    return bytes(left[: 256 * 1024])


@st.composite
def cases(draw: st.DrawFn, name: InputName) -> FuzzCase:
    """A record with its key, entry and offset; seldom a tombstone."""
    raw = draw(values(name)) if draw(st.integers(0, 29)) else None
    right = b"*:adverse_off" if name == "switches" else b"weibo:a1"
    key = right if draw(st.integers(0, 3)) else draw(st.sampled_from(_KEYS))
    ahead = draw(st.sampled_from([0, 1, -1, MINUTE, -5 * MINUTE, 5 * MINUTE, -START, -START - 1]))
    offset = draw(st.sampled_from([0, 1, 7, 1025, 1 << 40]))
    return FuzzCase(name, GivenRecord(offset, START + ahead, key, raw, draw(st.integers(0, 1))))


@st.composite
def batches(draw: st.DrawFn) -> tuple[InputName, list[GivenRecord]]:
    """Several records of a busy topic: mostly good ones, some with a mistake."""
    name: InputName = draw(st.sampled_from(["follower-counts", "category-changes"]))
    records: list[GivenRecord] = []
    for number in range(draw(st.integers(1, 5))):
        account = draw(st.sampled_from(["a1", "a2", "a\n3"]))
        value: dict[str, Any] = {**BARE[name], "account_id": account}
        if name == "follower-counts":
            value["followers"] = draw(st.sampled_from([0, 899, 900, 1000, 10**10]))
        raw: bytes | None = json.dumps(value, ensure_ascii=draw(st.booleans())).encode()
        key: bytes | None = f"weibo:{account}".encode()
        if draw(st.integers(0, 4)) == 0:
            raw = draw(values(name))
        elif draw(st.integers(0, 9)) == 0:
            key = draw(st.sampled_from(_KEYS))
        elif draw(st.integers(0, 19)) == 0:
            raw = None
        entry = START + draw(st.sampled_from([0, 0, 1, -5 * MINUTE, -6 * MINUTE]))
        records.append(GivenRecord(number, entry, key, raw))
    return name, records


def near(case: FuzzCase) -> Iterator[FuzzCase]:
    """A case and `NEAR - 1` others near to it, which are a function of its bytes.

    To draw a case takes Hypothesis many times as long as to run it.
    """
    yield case
    raw = case.record.value or b"{}"
    chance = random.Random(zlib.crc32(raw) ^ case.record.offset)
    for _ in range(NEAR - 1):
        left = bytearray(raw)
        at, end = sorted((chance.randint(0, len(left)), chance.randint(0, len(left))))
        how = chance.randrange(6)
        if how == 0 and at < len(left):
            left[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            left[at : at + 1] = chance.randbytes(chance.randrange(3))
        elif how == 2:
            left[at:at] = left[at:end]
        elif how == 3:
            del left[at:end]
        elif how == 4:
            left[-1:] = b"," + left[at:end] + b"}"
        key = case.record.key if chance.randrange(4) else chance.choice(_KEYS)
        yield FuzzCase(case.name, case.record._replace(key=key, value=bytes(left)))


NEAR = 8
NAMES: tuple[InputName, ...] = tuple(INPUT_MODELS)
