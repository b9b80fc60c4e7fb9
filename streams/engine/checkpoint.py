"""How far a partition has been read. The record is kept beside the state.

The record lies in the first store's changelog under `#next` and is part of every transaction: it is
the truth about positions. The group's committed offsets are for tools.
"""

import msgspec

CHECKPOINT_KEY = b"#next"
FORMAT = 1


class Checkpoint(msgspec.Struct, frozen=True):
    """`next` offset for each topic, broadcast included, and the last transaction's `now`.

    `partitions` is the partition count the state was built with: keys lie elsewhere under another.
    `ids` are the topics' ids, where the broker gives them; the first edition had none and passes
    over them. `served`: topics that were made anew and are read without being accepted
    (`--favourable-only`): the id that their `next` belongs to. `anew`: inputs that were made anew,
    and where reading of the one before had stopped; until that offset is reached once more.
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
    """Encode the record's value."""
    return _encoder.encode(checkpoint)


def decode_format(value: bytes) -> int:
    """Decode the format number alone. Every version can read it."""
    return _head_decoder.decode(value).format


def decode_checkpoint(value: bytes) -> Checkpoint:
    """Decode the record. Raises `msgspec.ValidationError` if this version cannot read it."""
    return _decoder.decode(value)
