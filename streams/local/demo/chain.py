"""Verifies the hash chain of `byline.decisions`, without code of the core."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from streams.local.demo.reading import Raw


def broken_links(decisions: Sequence[Raw]) -> Iterator[str]:
    """Yields a sentence for every record with a wrong hash, number or `previous`."""
    partitions: dict[int, list[Raw]] = defaultdict(list)
    for record in decisions:
        partitions[record.partition].append(record)
    for partition, records in sorted(partitions.items()):
        previous: str | None = None
        records.sort(key=lambda record: record.offset)
        for number, record in enumerate(records, start=1):
            value = record.json()
            where = f"decisions[{partition}]@{record.offset}"
            if not isinstance(value, dict) or "hash" not in value:
                yield f"{where} is no decision"
                continue
            given = value.pop("hash")
            if digest(value) != given:
                yield f"{where}: the hash is not that of the content"
            if value.get("number") != number:
                yield f"{where}: number {value.get('number')}, not {number}"
            if previous is not None and value.get("previous") != previous:
                yield f"{where} does not follow the record before it"
            previous = given


def digest(value: dict[str, object]) -> str:
    """Returns the SHA-256, in hex, of a record without `hash` as canonical JSON (RFC 8785)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
