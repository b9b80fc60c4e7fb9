"""A checkpoint is read back as it was written."""

from streams.engine.checkpoint import Checkpoint, decode_checkpoint, encode_checkpoint


def test_a_checkpoint_is_read_back() -> None:
    position = Checkpoint(1, 4, 123, {"t": 5})
    assert decode_checkpoint(encode_checkpoint(position)) == position
