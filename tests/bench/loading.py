"""Putting records into Kafka, partitioned as the contract wants it."""

from collections.abc import Iterable

from confluent_kafka import Producer

from tests.bench.data import Row

FLUSH_SECONDS = 120.0


def producer(bootstrap: str, linger_ms: int = 20) -> Producer:
    """A producer with the Java client's partitioner and lz4, as such platforms have it."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "batch.num.messages": 20_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "log_level": 0,
        }
    )


def load(bootstrap: str, topic: str, rows: Iterable[Row]) -> int:
    """Produce all rows and wait until Kafka has them; how many."""
    sender, count = producer(bootstrap), 0
    for key, value in rows:
        put(sender, topic, key, value)
        count += 1
        if count % 1000 == 0:
            sender.poll(0)
    left = sender.flush(FLUSH_SECONDS)
    if left:
        raise TimeoutError(f"{left} records of {topic} did not reach Kafka")
    return count


def put(sender: Producer, topic: str, key: bytes, value: bytes) -> None:
    """Produce one record, waiting for room in the producer's queue."""
    while True:
        try:
            sender.produce(topic, value, key)
            return
        except BufferError:
            sender.poll(0.1)
