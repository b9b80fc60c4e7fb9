"""Labels are checked a batch at a time: what comes of one must not depend on its neighbours."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.inputs.batches import NOT_AT_ONCE, decode_batch
from streams.core.inputs.checks import QUOTES, all_plain, says_time
from streams.core.inputs.decode import DecodedCategoryChange
from streams.core.model.instants import rfc3339
from streams.core.model.ports import CATEGORIES
from tests.core.given import DAY, PLATFORM, START, Day, GivenRecord

GOOD = {"platform": PLATFORM, "account_id": "a1", "category": "财经"}
FORMS = {
    "as it should be": {},
    "with its source": {"source": "verified"},
    "with an end": {"valid_until": rfc3339(START + DAY)},
    "with a field that nobody knows": {"colour": "red"},
    "of a platform that we do not know": {"platform": "nowhere"},
    "of no platform": {"platform": "Weibo!"},
    "with an id that is none": {"account_id": "a b"},
    "with an empty id": {"account_id": ""},
    "with an id too long": {"account_id": "a" * 65},
    "with an id of two lines": {"account_id": "a\nb"},
    "of another partition": {"account_id": "elsewhere"},
    "before 2005": {"observed_at": "1970-01-01T00:00:00Z"},
    "with an end before 2005": {"valid_until": "1970-01-01T00:00:00Z"},
    "too far ahead": {"observed_at": rfc3339(START + DAY)},
    "with a time in another form": {"observed_at": "2023-11-01 00:00:00Z"},
    "with a time of whole seconds": {"observed_at": "2023-11-01T00:00:00Z"},
    "with a time in small letters": {"observed_at": "2023-11-01t00:00:00.000z"},
    "with a time of another zone": {"observed_at": "2023-11-01T08:00:00.000+08:00"},
    "with an escaped quotation mark": {"category": '"observed_at":"2023-11-01T00:00:00Z"'},
    "with a name": {"real_name": "x"},
    "with a label too long": {"category": "x" * 65},
    "with a label of no text": {"category": ""},
}


TAKEN = (
    "as it should be",
    "with its source",
    "with an end",
    "with a field that nobody knows",
    "with a time of whole seconds",
    "with a time in small letters",
    "with a time of another zone",
    "with an escaped quotation mark",
)


def _record(changes: dict[str, Any], key: str | None = None) -> tuple[bytes, bytes | None]:
    value = {**GOOD, "observed_at": rfc3339(START), **changes}
    if key is None:
        key = f"{value['platform']}:{value['account_id']}"
    return key.encode(), msgspec.json.encode(value)


ODD = {
    **{form: _record(changes) for form, changes in FORMS.items()},
    "with another key": _record({"account_id": "a2"}, key=f"{PLATFORM}:a1"),
    "with a field twice": (
        f"{PLATFORM}:a1".encode(),
        _record({})[1][:-1] + b',"account_id":"a1"}',  # type: ignore[index]
    ),
    "removed": (f"{PLATFORM}:a1".encode(), None),
    "no JSON": (f"{PLATFORM}:a1".encode(), b"{"),
}
NEIGHBOURS = [_record({"account_id": "b1"}), _record({"account_id": "b2", "category": "x"})]


def _after(*batches: list[tuple[bytes, bytes | None]]) -> tuple[Any, Any, Any]:
    """What is kept, what was refused and what was counted."""
    day = Day(partition_of=lambda key: int(b"elsewhere" in key))
    offset = 0
    for batch in batches:
        records = [GivenRecord(offset + at, day.now, *pair) for at, pair in enumerate(batch)]
        offset += len(records)
        day.partition.step(day.tables, day.now, [("category-changes", records)])
    letters = [(one["offset"], one["reason"], one["field"]) for one in day.dead_letters]
    return day.tables.state[CATEGORIES], letters, day.partition.counts


@pytest.mark.parametrize("form", ODD)
def test_a_label_has_the_same_end_alone_and_among_good_ones(form: str) -> None:
    before, behind = NEIGHBOURS
    together = _after([before, ODD[form], behind])
    assert together == _after([before], [ODD[form]], [behind])
    refused = together[1]
    assert bool(refused) is (form not in (*TAKEN, "with a field twice", "removed"))
    assert len(together[0]) == 2 + (form in (*TAKEN, "with a field twice"))


TIMES = (
    "2023-11-01T00:00:00.000Z",
    "2024-02-29T23:59:59.987Z",
    "2023-11-01T00:00:00Z",
    "2023-11-01T00:00:00.000001Z",
    "2023-11-01T00:00:00.1Z",
    "2023-11-01t00:00:00z",
    "2023-11-01T00:00:00+08:00",
    "2023-11-01 00:00:00Z",
    "2023-11-01T00:00:00.000+24:00",
)
VALUES = st.builds(
    lambda time, category, more, blank, name: (
        f'{{"platform":{blank}"weibo","account_id":{blank}"a1","category":{blank}{category},'
        f'"{name}":{blank}"{time}"{more}}}'
    ).encode(),
    st.sampled_from(TIMES),
    st.sampled_from(['"财经"', '"a\\"b"', '"observed_at"', '"0000-00-00T00:00:00Z"']),
    st.sampled_from(["", "", "", ',"source":"verified"', ',"observed_at":"2023-11-01 00:00:00Z"']),
    st.sampled_from(["", "", " "]),
    st.sampled_from(["observed_at", "observed_at", "observed_at", "observed\\u005fat"]),
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_records_are_plain_together_if_each_of_them_is(values: list[bytes]) -> None:
    records = [GivenRecord(0, START, b"weibo:a1", value) for value in values]
    try:
        decode_batch("category-changes", records)
    except NOT_AT_ONCE:
        return
    each = all(
        value.count(b'"') == QUOTES[DecodedCategoryChange] and says_time(value) for value in values
    )
    assert all_plain(values, DecodedCategoryChange) == each
