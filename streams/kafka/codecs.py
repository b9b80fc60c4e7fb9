"""Decompresses batches up to a limit of `MAX_BATCH_BYTES` in memory.

A few kilobytes of zstd can decompress to a gigabyte, and aiokafka has no limit. Here gzip is read
as a stream, and the others are decompressed into a buffer of fixed size. `install` replaces
aiokafka's codecs, which its compiled readers look up by name for each batch.
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
"""The most decompressed bytes of one batch."""

# A batch that does not fit the thread's own buffer gets one of eight times its compressed size, at
# least twice the own one, and if that is too small the largest.
_OWN_BYTES = 1024 * 1024
_NEXT_RATIO = 8
_XERIAL_HEADER = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


class BatchTooLargeError(Exception):
    """A batch has, or decompresses to, more than `MAX_BATCH_BYTES`."""


class _Unpacked(threading.local):
    """The last decompressed bytes on this thread, which aiokafka's readers do not return.

    `buffer`: where this thread decompresses. A new one for each batch, which is filled with zeros
    and gets its pages from the system, takes a third of the time in which the batch is read.
    """

    payload: bytes | None = None
    buffer: bytearray | None = None


last = _Unpacked()


def _done(payload: bytes) -> bytes:
    last.payload = payload
    return payload


def _too_large() -> BatchTooLargeError:
    return BatchTooLargeError(f"a batch unpacks to more than {MAX_BATCH_BYTES} bytes")


def check_size(size: int) -> None:
    """Raises BatchTooLargeError if a batch of so many bytes, packed or not, exceeds the limit."""
    if size > MAX_BATCH_BYTES:
        raise _too_large()


def gzip_decode(payload: bytes) -> bytes:
    """Decompresses gzip.

    Raises:
        BatchTooLargeError: the result exceeds the limit.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(payload), mode="r") as stream:
        unpacked = stream.read(MAX_BATCH_BYTES + 1)
    if len(unpacked) > MAX_BATCH_BYTES:
        raise _too_large()
    return _done(unpacked)


def zstd_decode(payload: bytes) -> bytes:
    """Decompresses zstd. Raises cramjam.DecompressionError, also if the limit is exceeded."""
    return _done(_into_buffer(cramjam.zstd.decompress_into, payload))


def lz4_decode(payload: bytes) -> bytes:
    """Decompresses lz4 frames. Raises cramjam.DecompressionError, also beyond the limit."""
    return _done(_into_buffer(cramjam.lz4.decompress_into, payload))


def _into_buffer(decompress_into: Callable[[bytes, bytearray], int], payload: bytes) -> bytes:
    """Decompresses into a buffer of limited size; data that do not fit raise an error."""
    payload = bytes(payload)
    if last.buffer is None:
        last.buffer = bytearray(_OWN_BYTES)
    try:
        count = decompress_into(payload, last.buffer)
    except cramjam.DecompressionError:
        return _into_larger_buffer(decompress_into, payload)
    return bytes(memoryview(last.buffer)[:count])


def _into_larger_buffer(
    decompress_into: Callable[[bytes, bytearray], int], payload: bytes
) -> bytes:
    size = min(MAX_BATCH_BYTES, max(2 * _OWN_BYTES, _NEXT_RATIO * len(payload)))
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
    """Decompresses snappy, raw or in the framing of the Java client.

    Raises:
        BatchTooLargeError: the result exceeds the limit.
        ValueError: the framing is broken.
    """
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
    """Replaces aiokafka's codecs with these. A second call changes nothing."""
    for module in (compiled, compiled_legacy):
        for decode in (gzip_decode, snappy_decode, lz4_decode, zstd_decode):
            if hasattr(module, decode.__name__):
                setattr(module, decode.__name__, decode)


def unpack(codec: int, payload: bytes) -> bytes:
    """Decompresses with the codec number of a batch's attributes.

    Raises:
        ValueError: the codec is unknown. Other errors come from the codec.
    """
    decoders = (bytes, gzip_decode, snappy_decode, lz4_decode, zstd_decode)
    if codec >= len(decoders):
        raise ValueError(f"unknown codec {codec}")
    return decoders[codec](payload)
