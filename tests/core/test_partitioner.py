"""Where a key lies: the same for us as for the Java client and for aiokafka."""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.processor import partitioner


@given(st.binary(max_size=120), st.integers(1, 512))
def test_the_hash_in_c_is_kafkas(key: bytes, partitions: int) -> None:
    assert partitioner(partitions)(key) == (murmur2(key) & 0x7FFFFFFF) % partitions
