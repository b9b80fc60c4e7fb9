"""No bytes end a worker: headers are not decoded, batches bounded, what is unreadable is said."""

import asyncio
import json
import re
import resource
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords

from streams.kafka import codecs
from streams.kafka.batches import LARGE_BYTES, PlainRecord, read_tolerant
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.stretches import KeptRecords, Taking, install
from tests.engine import batches
from tests.engine.batches import batch, plain, record
from tests.engine.harness import Toys, wait_until

NOT_UTF8 = ((b"\xff\xfe", b"\x00"),)
MIB = 1024 * 1024


def _take(raw: bytes, max_records: int = 1_000) -> tuple[list[Any], list[Any], int]:
    install()
    records, unreadable, size = [], [], 0
    kept = KeptRecords(raw)
    pending = PartitionRecords(
        TopicPartition("t", 0), kept, [], 0, None, None, True, READ_COMMITTED
    )
    while kept.more:
        taking = Taking(pending, max_records, keep_headers=False)
        taking.run()
        assert len(taking.records) < max_records + 1_000
        records += taking.records
        unreadable += taking.unreadable
        size += taking.size
    return records, unreadable, size


@pytest.mark.parametrize("codec", batches.CODECS)
def test_a_header_name_that_is_not_utf8_is_stepped_over_in_each_codec(codec: str) -> None:
    raw = batch(plain(3, b"a"), codec) + batch(plain(3, b"b", NOT_UTF8), codec, base=3)
    records, unreadable, _ = _take(raw)
    assert [(one.offset, one.key, one.value) for one in records] == [
        (number, b"k%d" % (number % 3), b"a" if number < 3 else b"b") for number in range(6)
    ]
    assert all(one.timestamp == 7 and one.timestamp_type == 0 for one in records)
    assert unreadable == []


@pytest.mark.parametrize("codec", batches.CODECS)
def test_the_tolerant_reader_reads_what_the_compiled_one_reads(codec: str) -> None:
    given = [
        record(0, None, b"v" * 300, ((b"h", b"x"),)),
        record(1, b"k" * 200, None, ()),
        record(2, b"", b"", ((b"", b""), (b"n", b"y" * 100))),
    ]
    raw = batch(given, codec, base=1 << 40, time=1_700_000_000_000)
    compiled = [
        PlainRecord(one.offset, one.timestamp, one.timestamp_type, one.key, one.value)
        for one in KeptRecords(raw).next_batch()
    ]
    assert list(read_tolerant(raw, 100).records) == compiled


@pytest.mark.parametrize("codec", batches.CODECS[1:])
def test_a_batch_that_grows_beyond_the_limit_is_unreadable_and_never_held(codec: str) -> None:
    bomb = batch([record(0, b"k", bytes(17 * MIB), ()), *plain(3)[1:]], codec)
    raw = bomb + batch(plain(2), base=3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records, unreadable, _ = _take(raw)
    assert [one.offset for one in records] == [3, 4]
    assert unreadable == [(0, 2, 7)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("codec", batches.CODECS[1:])
def test_a_large_batch_is_taken_in_pieces_and_counted_as_it_unpacks(codec: str) -> None:
    given = [record(number, b"k", b"%06d" % number * 100, ()) for number in range(8_000)]
    records, unreadable, size = _take(batch(given, codec), max_records=500)
    assert [one.offset for one in records] == list(range(8_000))
    assert [one.value for one in records[::1000]] == [
        b"%06d" % n * 100 for n in range(0, 8000, 1000)
    ]
    assert unreadable == []
    assert size >= 8_000 * 600 > LARGE_BYTES


def _cut(raw: bytes, codec: str) -> bytes:
    """A batch whose payload is broken and whose checksum is right."""
    payload = bytearray(raw[61:])
    payload[len(payload) // 2 :] = b"\xa5" * (len(payload) - len(payload) // 2)
    broken = raw[21:61] + payload
    return raw[:17] + codecs.struct.pack(">I", batches.calc_crc32c(bytes(broken))) + broken


@pytest.mark.parametrize("codec", batches.CODECS)
def test_a_batch_that_does_not_unpack_is_unreadable_and_reading_goes_on(codec: str) -> None:
    raw = batch(plain(2)) + _cut(batch(plain(50), codec, base=2), codec) + batch(plain(2), base=52)
    records, unreadable, _ = _take(raw)
    assert [one.offset for one in records] == [0, 1, 52, 53]
    assert unreadable == [(2, 51, 7)]


def test_a_batch_with_a_wrong_checksum_is_unreadable() -> None:
    raw = bytearray(batch(plain(2)) + batch(plain(2), base=2))
    raw[-1] ^= 1
    assert _take(bytes(raw))[1] == [(2, 3, 7)]


def test_records_that_are_numbered_out_of_their_batch_are_unreadable() -> None:
    for deltas in ((0, 0, 0), (2, 1, 0), (0, 1, 9)):
        raw = batch([record(delta, b"k", b"1", ()) for delta in deltas])
        records, unreadable, _ = _take(raw)
        assert (records, unreadable) == ([], [(0, 2, 7)])


@pytest.mark.slow
def test_headers_are_let_go_of_and_a_batch_of_headers_fills_no_memory() -> None:
    records, _, _ = _take(batch(plain(2, headers=((b"n", b"x"),))))
    assert [one.headers for one in records] == [[], []]
    many = record(0, b"k", b"v", [(b"", b"")] * (4 * MIB))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records, unreadable, _ = _take(batch([many], "zstd"))
    assert [one.value for one in records] == [b"v"]
    assert unreadable == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_every_reader_of_byline_is_the_tolerant_one() -> None:
    streams = Path(__file__).parents[2] / "streams"
    strict = [
        str(path.relative_to(streams))
        for path in sorted(streams.rglob("*.py"))
        if re.search(r"AIOKafkaConsumer\b|\.getmany\(|\.getone\(", path.read_text())
        # `libraries.py` names what is relied on of the libraries, and reads nothing.
        and path.parent.name != "kafka"
        and path.name != "libraries.py"
    ]
    assert strict == []


@pytest.mark.kafka
async def test_a_reader_stops_at_whatever_instant_it_is_told_to(toys: Toys) -> None:
    """aiokafka's own waits for ever where requests of the assignment before are under way."""
    tps = [TopicPartition(f"{toys.prefix}.adds", number) for number in range(4)]
    for turns in range(5):
        reader = TolerantConsumer(
            bootstrap_servers=toys.bootstrap, fetch_max_wait_ms=20_000, fetch_min_bytes=2**20
        )
        await reader.start()
        reader.assign(tps)
        for tp in tps:
            reader.seek(tp, 0)
        await asyncio.sleep(1.0)
        reader.assign(tps)
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping = asyncio.create_task(reader.stop())
        await asyncio.wait([stopping], timeout=5)
        assert stopping.done(), turns
        assert stopping.exception() is None


@pytest.mark.kafka
def test_given_a_batch_that_the_broker_s_disk_has_spoilt_then_what_follows_is_read(
    toys: Toys, kafka: Any
) -> None:
    adds = f"{toys.prefix}.adds"
    batches.produce(toys.bootstrap, adds, 0, batch(plain(2)))
    spoilt = batches.produce(toys.bootstrap, adds, 0, batch(plain(3, b"spoil me")))
    batches.produce(toys.bootstrap, adds, 0, batch(plain(2)))
    (segment,) = kafka.cluster.data_dir.rglob(f"{adds}-0/*.log")
    content = segment.read_bytes()
    with segment.open("r+b") as log:
        log.seek(content.rindex(b"spoil me"))
        log.write(b"S")
    worker = toys.worker().ready()
    rows = wait_until(lambda: len(r := toys.outputs(b"add")[0]) == 4 and r, 20, "four outputs")
    assert [value["offset"] for _, value in rows] == [0, 1, spoilt + 3, spoilt + 4]
    # On a busy machine one reading of the topic, right after the other, has missed it once.
    found = wait_until(lambda: toys.outputs(b"unreadable")[0], 20, "what is said of the batch")
    told = [value for _, value in found]
    assert told == [{"topic": adds, "first": spoilt, "last": spoilt + 2}]
    assert worker.stop() == 0


@pytest.mark.kafka
def test_given_a_changelog_that_cannot_be_read_whole_then_the_worker_refuses(
    toys: Toys, kafka: Any
) -> None:
    toys.produce("adds", "spoilme", "7", 0)
    toys.flush()
    toys.worker().ready()
    wait_until(lambda: toys.outputs(b"add")[0], 20, "the output")
    toys.workers[0].stop()
    toys.lose_disk()
    (segment,) = kafka.cluster.data_dir.rglob(f"{toys.prefix}-counts-changelog-0/*.log")
    content = segment.read_bytes()
    with segment.open("r+b") as log:
        log.seek(content.index(b"spoilme"))
        log.write(b"S")
    worker = toys.worker()
    assert worker.exit_code() == 2
    assert "holds a batch that cannot be read" in worker.log


@pytest.mark.kafka
def test_given_records_that_a_producer_numbered_wrongly_then_none_of_them_is_applied(
    toys: Toys,
) -> None:
    adds = f"{toys.prefix}.adds"
    wrong = batch([record(delta, b"k", b"1", ()) for delta in (2, 1, 0)])
    first = batches.produce(toys.bootstrap, adds, 0, wrong)
    toys.produce("adds", "after", "1", 0)
    toys.flush()
    toys.worker().ready()
    rows = wait_until(lambda: toys.outputs(b"add")[0], 20, "the record behind it")
    assert [key for key, _ in rows] == ["after"]
    # On a busy machine one reading of the topic, right after the other, has missed it once.
    found = wait_until(lambda: toys.outputs(b"unreadable")[0], 20, "what is said of the batch")
    told = [value for _, value in found]
    assert told == [{"topic": adds, "first": first, "last": first + 2}]


@pytest.mark.kafka
def test_given_headers_bombs_and_nonsense_then_a_worker_reads_on_and_says_what_it_left(
    toys: Toys,
) -> None:
    toys.add(40)
    worker = toys.worker().ready()
    adds, sent = f"{toys.prefix}.adds", []
    for codec in batches.CODECS:
        raw = batch(plain(1, headers=NOT_UTF8), codec)
        batches.produce(toys.bootstrap, adds, 0, raw)
        toys.sent += 1
        if codec != "none":
            bomb = batch([record(0, b"k", bytes(18 * MIB), ()), *plain(2)[1:]], codec)
            assert len(bomb) < MIB
            sent.append(batches.produce(toys.bootstrap, adds, 1, bomb))
    factor = f"{toys.prefix}.factor"
    batches.produce(toys.bootstrap, factor, 0, batch([record(0, b"f", b"1", NOT_UTF8)]))
    on_factor = batches.produce(
        toys.bootstrap, factor, 0, batch([record(0, b"f", bytes(18 * MIB), ())], "zstd")
    )
    toys.add(40)

    def told() -> list[dict[str, Any]]:
        return [value for rows in toys.outputs(b"unreadable").values() for _, value in rows]

    found = wait_until(lambda: len(t := told()) == 4 + toys.partitions and t, 20, "all are told")
    assert [one for one in found if one["topic"] == adds] == [
        {"topic": adds, "first": offset, "last": offset + 1} for offset in sent
    ]
    assert [one for one in found if one["topic"] == factor] == toys.partitions * [
        {"topic": factor, "first": on_factor, "last": on_factor}
    ]
    wait_until(lambda: sum(map(len, toys.seen().values())) >= toys.sent, 20, "an output for each")
    assert worker.status["ready"]
    assert worker.stop() == 0
    toys.lose_disk()
    toys.worker().ready().stop()
    assert told() == found
    assert json.loads(toys.read("seals")[0][-1].value())
