"""Batches of readings, plain and odd, read by the compiled columns and by the pure code."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords

from streams.core.inputs.batches import NOT_AT_ONCE, decode_batch, sampled
from streams.core.model.ports import InputRecord
from streams.kafka.batches import add_columns, read_tolerant
from streams.kafka.columns import are_columns, new_columns, new_key_filter
from streams.kafka.stretches import KeptRecords, Taking, install
from tests.engine import batches

FLOORS = {"weibo": 900, "douyin": 500}
TIMES = (
    *("2026-01-01T00:00:00Z", "2026-02-28T23:59:59.123Z", "2024-02-29T00:00:00+08:00"),
    *("2026-01-01T00:00:00.123456789Z", "2026-12-31T23:59:59.1-03:30", "2023-02-29T00:00:00Z"),
    *(
        "2026-13-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
    ),
    *(
        "2026-01-01T00:00:60Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "2026-1-1T0:0:0Z",
    ),
    *("2026-04-31T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-01T00:00:00+0800", "x", ""),
)
COUNTS: tuple[Any, ...] = (
    0,
    7,
    499,
    500,
    899,
    900,
    901,
    10**10,
    10**10 + 1,
    -1,
    1.0,
    1e3,
    "5",
    None,
)


def drawn_value(random_: random.Random) -> bytes | None:
    """A reading in one of the forms in which people write JSON, or what is none."""
    value: dict[str, Any] = {
        "platform": random_.choice(
            ("weibo", "weibo", "weibo", "douyin", "nowhere", 'wei"bo', "微博")
        ),
        "account_id": random_.choice(("a1", "a2", "a\\1", "a\n", "x" * 300, "", "张三")),
        "followers": random_.choice(COUNTS),
        "observed_at": random_.choice(TIMES),
    }
    if random_.random() < 0.1:
        value[random_.choice(("cause", "real_name", "colour"))] = random_.choice(("correction", 5))
    if random_.random() < 0.1:
        del value[random_.choice(list(value))]
    if random_.random() < 0.1:
        value = dict(random_.sample(list(value.items()), len(value)))
    raw = msgspec.json.encode(value)
    if random_.random() < 0.3:
        blank = random_.choice((b" ", b"  ", b"\t"))
        raw = raw.replace(b":", b":" + blank).replace(b",", b"," + blank)
    if random_.random() < 0.2:
        place = random_.randrange(len(raw))
        raw = random_.choice(
            (
                raw[:place],
                raw + b" ",
                raw[:place] + bytes([random_.randrange(256)]) + raw[place:],
                b"",
            )
        )
    return None if random_.random() < 0.02 else raw


def drawn_plain(random_: random.Random) -> bytes:
    """A reading as most are."""
    count, day = random_.choice((0, 5, 899, 900, 2_000)), random_.randrange(1, 29)
    platform, account = random_.choice(("weibo", "douyin")), random_.randrange(40)
    return (
        f'{{"platform":"{platform}","account_id":"a{account}","followers":{count}'
        f',"observed_at":"2026-01-{day:02}T00:00:00.000Z"}}'
    ).encode()


def drawn_batch(random_: random.Random, base: int = 0) -> tuple[bytes, int]:
    """A batch, perhaps with bytes turned, and the offset after it."""
    codec, count = random_.choice(batches.CODECS), random_.choice((1, 3, 40))
    records, delta = [], 0
    for _ in range(count):
        key = random_.choice((b"weibo:a%d" % random_.randrange(40), b"", None, b"k" * 90))
        value = drawn_plain(random_) if random_.random() < 0.7 else drawn_value(random_)
        headers = ((b"\xff\xfe", b"x"),) if random_.random() < 0.05 else ()
        records.append(batches.record(delta, key, value, headers))
        delta += random_.choice((1, 1, 1, 3, 0 if random_.random() < 0.01 else 1))
    if random_.random() < 0.2:
        spoilt = bytearray(random_.choice(records))
        spoilt[random_.randrange(len(spoilt))] ^= 1 << random_.randrange(8)
        records[random_.randrange(count)] = bytes(spoilt)
    return batches.batch(records, codec, base=base, last=delta), base + delta + 1


def plain_fields(records: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What readers of records use."""
    return [(it.offset, it.timestamp, it.timestamp_type, it.key, it.value) for it in records]


def read(raw: bytes) -> tuple[Any, Any]:
    """The columns, and the pure reader's records or its error."""
    found = new_columns()
    taken = add_columns(found, raw)
    try:
        pure: Any = read_tolerant(raw, 1 << 30).records
    except Exception as error:
        pure = error
    return found if taken else None, pure


def left_in(
    records: Sequence[InputRecord], floors: Mapping[str, int], tracked: set[bytes]
) -> list[InputRecord]:
    """The records without those that the law of `Transaction.sift` allows to leave out."""
    looked_at = {record.offset for record in sampled(records)}

    def low(record: InputRecord) -> bool:
        try:
            (reading,) = decode_batch("follower-counts", [record])
        except NOT_AT_ONCE:
            return False
        return bool(reading.followers < floors.get(reading.platform, -1))

    kept = {
        it.offset
        for it in records
        if it.offset in looked_at or not low(it) or (it.key is not None and it.key in tracked)
    }
    keys = {it.key for it in records if it.offset in kept and it.key is not None}
    return [it for it in records if it.offset in kept or it.key in keys]


def taken(raw: bytes, start: int, most: int, *, columns: bool) -> tuple[Any, ...]:
    """All that is taken from offset `start` on, in takings of about `most` records."""
    install()
    kept = KeptRecords(raw)
    pending = PartitionRecords(
        TopicPartition("t", 0), kept, [], start, None, None, True, READ_COMMITTED
    )
    records, unreadable, ends, whole = [], [], [], 0
    while kept.more:
        taking = Taking(pending, most, keep_headers=False, columns=columns)
        taking.run()
        whole += are_columns(taking.records)
        records += plain_fields(taking.records)
        unreadable += taking.unreadable
        ends.append(pending.next_fetch_offset)
    return records, unreadable, ends[-1], whole


def compare(random_: random.Random) -> int:
    """Reads a drawn batch both ways. Returns how many records the columns took; 0: none.

    Raises AssertionError if they differ, or if `sift` leaves out what it may not.
    """
    raw, _ = drawn_batch(random_, random_.choice((0, 1000, 1 << 40)))
    columns, pure = read(raw)
    if columns is None:
        return 0
    assert plain_fields(columns) == plain_fields(pure)
    assert [columns[at].offset for at in range(len(columns))] == [it.offset for it in pure]
    tracked = {b"weibo:a%d" % number for number in random_.sample(range(40), 5)}
    keys = new_key_filter(len(tracked))
    for key in tracked:
        keys.add(key)
    sifted = plain_fields(columns.sift(FLOORS, keys))
    assert sifted == sorted(sifted, key=lambda it: it[0])
    assert set(sifted) <= set(plain_fields(pure))
    assert {it.offset for it in left_in(pure, FLOORS, tracked)} <= {it[0] for it in sifted}
    return len(columns)
