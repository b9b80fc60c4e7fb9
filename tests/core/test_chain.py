"""The chain's records: canonical, and the hash is of the record without it."""

import hashlib
from typing import Any

import msgspec
import pytest

from streams.core.log.chain import Chain

RECORDS: list[dict[str, Any]] = [
    {},
    {"kind": "x"},
    {"a": [1, "法律"], "facts": None},
    {"cause": {"z": 1, "a": True}, "kind": "decision", "events": [], "now": "t"},
    {"hasg": 1, "hashed": 2, "has": 3},
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_sealed_record_is_canonical_and_its_hash_is_of_all_the_rest(
    record: dict[str, Any],
) -> None:
    chain = Chain()
    for number in (1, 2):
        before = chain.previous
        sealed = chain.seal(dict(record))
        found = msgspec.json.decode(sealed)
        hashed = found.pop("hash")
        assert found == {**record, "number": number, "previous": before}
        rest = msgspec.json.encode(found, order="sorted")
        assert hashed == chain.previous == hashlib.sha256(rest).hexdigest()
        assert sealed == msgspec.json.encode({**found, "hash": hashed}, order="sorted")
