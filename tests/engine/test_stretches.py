"""Record batches are unpacked without what is not to be read."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.kafka.stretches import KeptRecords, Taking


@pytest.mark.parametrize("kind", ["plain", "marker", "aborted", "emptied", "cut"])
def test_unpacking_gives_each_record_once_and_passes_over_the_rest(kind: str) -> None:
    def batch(first: int, count: int, producer: int = -1, *, control: bool = False) -> bytes:
        builder = DefaultRecordBatchBuilder(
            2, 0, int(producer >= 0), producer, 0 if producer >= 0 else -1, 0, 1 << 20
        )
        for number in range(count):
            builder.append(number, 7, bytes(4) if control else b"k", b"v%d" % number, [])
        raw = bytearray(builder.build())
        raw[0:8] = first.to_bytes(8, "big")
        if control:
            raw[22] |= 0x20
        return bytes(raw)

    aborted = [(5, 3)] if kind == "aborted" else []
    middle = {
        "plain": batch(3, 2),
        "marker": batch(3, 1, 5, control=True),
        "aborted": batch(3, 2, 5),
        "emptied": b"",
        "cut": batch(3, 2),
    }[kind]
    raw = batch(0, 3) + middle + batch(5, 2)
    start = 1 if kind == "cut" else 0
    tp = TopicPartition("t", 0)
    pending = PartitionRecords(
        tp, KeptRecords(raw), aborted, start, None, None, False, READ_COMMITTED
    )

    def take(max_records: int) -> list[Any]:
        taking = Taking(pending, max_records, keep_headers=False)
        taking.run()
        return taking.records

    first = take(2)
    assert [one.offset for one in first] == list(range(start, 3))
    assert pending.next_fetch_offset == 3
    rest = [5, 6] if kind in ("marker", "aborted", "emptied") else [3, 4, 5, 6]
    assert [one.offset for one in take(100)] == rest
    assert pending.next_fetch_offset == 7
    assert [one.value for one in first] == [b"v0", b"v1", b"v2"][start:]
    assert take(100) == []
