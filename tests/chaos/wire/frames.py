"""As much of Kafka's framing as the proxy needs: which request this is, of whom, in which epoch.

https://kafka.apache.org/protocol: a frame is its length and a header (API key, version, correlation
id, client id). From some version on strings are "compact" and the header ends in tagged fields.
"""

import asyncio
import struct
from dataclasses import dataclass

APIS = {
    0: "Produce",
    22: "InitProducerId",
    24: "AddPartitionsToTxn",
    25: "AddOffsetsToTxn",
    26: "EndTxn",
    28: "TxnOffsetCommit",
}
"""The requests of a transaction by API key."""
FLEXIBLE_FROM = {0: 9, 22: 2, 24: 3, 25: 3, 26: 3, 28: 3}
UNDER_AN_EPOCH = ("AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")
"""What a coordinator is asked for one transaction, under the producer's epoch."""
_HEADER = struct.Struct(">hhih")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is on the wire. `api` is empty for all that is no part of a transaction."""

    frame: bytes
    api: str
    version: int
    correlation_id: int
    client_id: str
    epoch: tuple[int, int] | None
    """Producer id and epoch, of a coordinator's request of a transaction."""


def parse(frame: bytes) -> Request:
    """What a frame (without its length) says."""
    key, version, correlation_id, length = _HEADER.unpack_from(frame)
    at = _HEADER.size + max(0, length)
    client_id = frame[_HEADER.size : at].decode()
    api = APIS.get(key, "")
    epoch = None
    if api in UNDER_AN_EPOCH:
        compact = version >= FLEXIBLE_FROM[key]
        if compact:
            # The header's tagged fields: our clients send none.
            at += 1
        # AddPartitionsToTxn has other fields from version 4 on, which only brokers send.
        for _ in range(2 if api == "TxnOffsetCommit" else 1):
            at = _after_string(frame, at, compact)
        epoch = struct.unpack_from(">qh", frame, at)
    return Request(frame, api, version, correlation_id, client_id, epoch)


def _after_string(frame: bytes, at: int, compact: bool) -> int:
    if not compact:
        return at + 2 + int(struct.unpack_from(">h", frame, at)[0])
    length, shift = 0, 0
    while True:
        byte = frame[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return at + length - 1


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame without its length; IncompleteReadError or OSError where there is none."""
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


def framed(frame: bytes) -> bytes:
    """With its length in front."""
    return struct.pack(">i", len(frame)) + frame
