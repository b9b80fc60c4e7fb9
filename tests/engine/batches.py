"""Batches of records made by hand, as no decent producer makes them, and sending them raw."""

import asyncio
import gzip
import struct
from collections.abc import Sequence

import cramjam
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c, encode_varint

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

Header = tuple[bytes, bytes]


def _varint(number: int) -> bytes:
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)


def _text(text: bytes | None) -> bytes:
    return _varint(-1) if text is None else _varint(len(text)) + text


def record(delta: int, key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> bytes:
    """One record of a batch."""
    body = b"\0" + _varint(0) + _varint(delta) + _text(key) + _text(value) + _varint(len(headers))
    body += b"".join(_text(name) + _text(text) for name, text in headers)
    return _varint(len(body)) + body


def compress(codec: str, payload: bytes) -> bytes:
    """As the clients do."""
    if codec == "gzip":
        return gzip.compress(payload)
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(payload))
    if codec == "lz4":
        packer = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
        packer.compress(payload)
        return bytes(packer.finish())
    return bytes(cramjam.zstd.compress(payload)) if codec == "zstd" else payload


def batch(
    records: Sequence[bytes],
    codec: str = "none",
    base: int = 0,
    time: int = 7,
    last: int | None = None,
) -> bytes:
    """A whole batch with its checksum. `last`: the delta of its last offset, if there are gaps."""
    payload, count = compress(codec, b"".join(records)), len(records)
    last = count - 1 if last is None else last
    tail = struct.pack(">hiqqqhii", CODECS.index(codec), last, time, time, -1, -1, -1, count)
    tail += payload
    head = struct.pack(">qiibI", base, len(tail) + 9, -1, 2, calc_crc32c(tail))
    return head + tail


def plain(count: int, value: bytes = b"1", headers: Sequence[Header] = ()) -> list[bytes]:
    """`count` records under keys `k0`, `k1`, …"""
    return [record(number, b"k%d" % number, value, headers) for number in range(count)]


def produce(bootstrap: str, topic: str, partition: int, raw: bytes, times: int = 1) -> int:
    """Send a batch as it is; the offset that it got. Fails when the broker does not take it.

    `times`: how often; the offset is then that of the last.
    """

    async def send() -> int:
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        await client.bootstrap()
        try:
            await client.add_topic(topic)
            node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])])
            for _ in range(times):
                code = 6
                while code == 6:
                    # The topic has just been made: its leader does not know yet that it is.
                    answer = await client.send(node, request)
                    ((_, ((_, code, offset, *_),)),) = answer.topics
                assert code == 0, f"the broker answers {code}"
            return int(offset)
        finally:
            await client.close()

    return asyncio.run(send())
