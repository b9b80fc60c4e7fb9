"""The checkpoint of a partition: how far each input was read.

It is a record with the key `#next` in the first store's changelog, written in every transaction.
Workers go on from it. The group's committed offsets are written only for Kafka's tools.
"""

import msgspec

CHECKPOINT_KEY = b"#next"
FORMAT = 1


class Checkpoint(msgspec.Struct, frozen=True):
    """The positions of a partition after a transaction.

    `now`: the transaction's time, milliseconds UTC. `next`: by topic, the offset to read next, the
    broadcast topic included. `partitions`: the partition count with which the state was built; with
    another one keys map to other partitions. `ids`: the topic ids that the state has accepted, if
    the broker has ids; older Byline versions skip this field.

    A topic that was deleted and created again has a new id. `served`: such topics that are read
    without being accepted (`--favourable-only`), with the id to which their `next` belongs. `anew`:
    such inputs, with the offset at which reading of the old topic had stopped; an entry is kept
    until that offset is reached in the new topic.
    """

    format: int
    partitions: int
    now: int
    next: dict[str, int]
    ids: dict[str, str] = {}
    served: dict[str, str] = {}
    anew: dict[str, int] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Checkpoint)


class _Head(msgspec.Struct):
    format: int


_head_decoder = msgspec.json.Decoder(_Head)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encodes the value of the checkpoint record."""
    return _encoder.encode(checkpoint)


def decode_format(value: bytes) -> int:
    """Decodes the format number alone, which every version can read."""
    return _head_decoder.decode(value).format


def decode_checkpoint(value: bytes) -> Checkpoint:
    """Decodes the value of the checkpoint record.

    Raises:
        msgspec.ValidationError: this version cannot read it.
    """
    return _decoder.decode(value)
