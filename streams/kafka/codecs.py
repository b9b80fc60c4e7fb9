"""Unpacks with a limit: no batch becomes larger than `MAX_BATCH_BYTES` in memory.

A few kilobytes of zstd can unpack to a gigabyte. aiokafka unpacks a batch whole before it looks at
it; here gzip is read as a stream and the others are unpacked into a buffer that ends. `install`
puts these in the place of aiokafka's own, which its compiled readers look up by name at each batch.
"""

import gzip
import io
import struct
import threading
from collections.abc import Callable

import aiokafka.record._crecords.default_records as compiled
import aiokafka.record._crecords.legacy_records as compiled_legacy
import cramjam

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Most bytes that the records of one batch may take once unpacked."""

# Most batches unpack to a few times their size: the first buffer is made for that, and a batch that
# fills it is tried again with the largest one.
_FIRST_RATIO = 8
_XERIAL_HEADER = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


class BatchTooLargeError(Exception):
    """A batch unpacks to more than `MAX_BATCH_BYTES`."""


class _Unpacked(threading.local):
    """The result of the last unpacking on this thread. aiokafka does not return it."""

    payload: bytes | None = None


last = _Unpacked()


def _done(payload: bytes) -> bytes:
    last.payload = payload
    return payload


def _too_large() -> BatchTooLargeError:
    return BatchTooLargeError(f"a batch unpacks to more than {MAX_BATCH_BYTES} bytes")


def gzip_decode(payload: bytes) -> bytes:
    """Unpack gzip. Reads one byte more than the limit, to notice when it is exceeded."""
    with gzip.GzipFile(fileobj=io.BytesIO(payload), mode="r") as stream:
        unpacked = stream.read(MAX_BATCH_BYTES + 1)
    if len(unpacked) > MAX_BATCH_BYTES:
        raise _too_large()
    return _done(unpacked)


def zstd_decode(payload: bytes) -> bytes:
    """Unpack zstd."""
    return _done(_into_buffer(cramjam.zstd.decompress_into, payload))


def lz4_decode(payload: bytes) -> bytes:
    """Unpack lz4 frames."""
    return _done(_into_buffer(cramjam.lz4.decompress_into, payload))


def _into_buffer(decompress_into: Callable[[bytes, bytearray], int], payload: bytes) -> bytes:
    """Unpack into a buffer of limited size. Data that do not fit or are broken raise an error."""
    payload = bytes(payload)
    size = min(MAX_BATCH_BYTES, _FIRST_RATIO * len(payload) + 4_096)
    while True:
        buffer = bytearray(size)
        try:
            count = decompress_into(payload, buffer)
        except cramjam.DecompressionError:
            if size == MAX_BATCH_BYTES:
                raise
            size = MAX_BATCH_BYTES
        else:
            return bytes(memoryview(buffer)[:count])


def snappy_decode(payload: bytes) -> bytes:
    """Unpack snappy, in the framing of the Java client or raw; the length stands in front."""
    payload = bytes(payload)
    if not payload.startswith(_XERIAL_HEADER):
        return _done(_snappy_block(payload, MAX_BATCH_BYTES))
    blocks, room, cursor = [], MAX_BATCH_BYTES, _XERIAL_HEADER_BYTES
    while cursor < len(payload):
        (size,) = struct.unpack_from(">i", payload, cursor)
        cursor += 4
        if size < 0 or cursor + size > len(payload):
            raise ValueError("a block of snappy ends behind its batch")
        block = _snappy_block(payload[cursor : cursor + size], room)
        blocks.append(block)
        room -= len(block)
        cursor += size
    return _done(b"".join(blocks))


def _snappy_block(payload: bytes, room: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(payload) > room:
        raise _too_large()
    return bytes(cramjam.snappy.decompress_raw(payload))


def install() -> None:
    """Replace aiokafka's codecs by these. A second call changes nothing."""
    for module in (compiled, compiled_legacy):
        for decode in (gzip_decode, snappy_decode, lz4_decode, zstd_decode):
            if hasattr(module, decode.__name__):
                setattr(module, decode.__name__, decode)


def unpack(codec: int, payload: bytes) -> bytes:
    """Unpack with the codec of a batch's attributes. Raises ValueError for an unknown codec."""
    decoders = (bytes, gzip_decode, snappy_decode, lz4_decode, zstd_decode)
    if codec >= len(decoders):
        raise ValueError(f"unknown codec {codec}")
    return decoders[codec](payload)
