"""Records as a `read_committed` consumer hands them over, and Kafka's default partitioner."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class OracleRecord:
    """One record of any topic. `timestamp_ms` is Kafka's; headers are by name, as bytes."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)
    timestamp_ms: int = 0
    append_time: bool = True
    """Whether the time stamp is the broker's (`LogAppendTime`), not the producer's."""

    def entered(self, now: datetime) -> datetime:
        """The moment of entry of a record that is read at `now`."""
        stamped = EPOCH + timedelta(milliseconds=self.timestamp_ms)
        return stamped if self.append_time else min(stamped, now)

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.topic}-{self.partition}@{self.offset}"


def murmur2(data: bytes) -> int:
    """Kafka's murmur2, as its Java client computes it (`Utils.murmur2`), as an unsigned number."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    hashed = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * multiplier & mask
        part = (part ^ part >> 24) * multiplier & mask
        hashed = hashed * multiplier & mask ^ part
    if len(data) > whole:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    hashed = (hashed ^ hashed >> 13) * multiplier & mask
    return hashed ^ hashed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's Java client gives a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
