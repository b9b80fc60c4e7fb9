"""What must hold of everything a read_committed consumer sees, whatever befell the requests."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

KEYS = 20
POSITION_KEY = b"#next"


@dataclass(slots=True)
class WireVerdict:
    """Violations in words, by partition, and how much was looked at."""

    violations: list[str] = field(default_factory=list)
    records: int = 0


def judge(
    bootstrap: str,
    group: str,
    topics: tuple[str, str, str],
    partitions: int,
    count: int,
) -> WireVerdict:
    """Compare outputs, changelog and the group's offsets of (inputs, outputs, changelog) with what
    `count` inputs of each partition must have led to."""
    inputs, outputs, changelog = topics
    verdict = WireVerdict()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        for partition in range(partitions):
            seen = _read(consumer, outputs, partition, verdict)
            _outputs(verdict, partition, seen, count)
            _state(verdict, partition, _read(consumer, changelog, partition, verdict), count)
        asked = [TopicPartition(inputs, partition) for partition in range(partitions)]
        for at in consumer.committed(asked, 10):
            if at.offset != count:
                verdict.violations.append(
                    f"partition {at.partition}: the group's offset is {at.offset}, not {count}"
                )
    finally:
        consumer.close()
    return verdict


def _read(consumer: Consumer, topic: str, partition: int, verdict: WireVerdict) -> list[Message]:
    at = TopicPartition(topic, partition, 0)
    consumer.assign([at])
    found: list[Message] = []
    while True:
        for message in consumer.consume(500, 0.05):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                _, high = consumer.get_watermark_offsets(at, 10)
                if message.offset() < high:
                    verdict.violations.append(
                        f"partition {partition}: {topic} is read to {message.offset()} of {high}:"
                        " a transaction hangs"
                    )
                verdict.records += len(found)
                return found
            else:
                raise AssertionError(error)


def _outputs(verdict: WireVerdict, partition: int, seen: list[Message], count: int) -> None:
    """0, 1, 2, … once each and in order; and of each transaction all or nothing."""
    numbers = [int(message.value().split()[0]) for message in seen]
    if numbers != list(range(count)):
        twice = sorted(number for number, times in Counter(numbers).items() if times > 1)
        lost = sorted(set(range(count)) - set(numbers))
        verdict.violations.append(
            f"partition {partition}: outputs doubled {_some(twice)}, lost {_some(lost)}"
            + ("" if twice or lost else ", in another order")
        )
    whole: dict[tuple[int, int], int] = defaultdict(int)
    for message in seen:
        _, first, end = message.value().split()
        whole[int(first), int(end)] += 1
    for (first, end), found in whole.items():
        if found != end - first:
            verdict.violations.append(
                f"partition {partition}: {found} outputs are seen of the transaction over inputs"
                f" {first} to {end - 1}"
            )


def _state(verdict: WireVerdict, partition: int, seen: list[Message], count: int) -> None:
    table = {message.key(): message.value() for message in seen}
    table.pop(POSITION_KEY, None)
    expected = {
        b"k%d" % key: b"%d" % sum(range(key, count, KEYS)) for key in range(min(KEYS, count))
    }
    if table != expected:
        verdict.violations.append(f"partition {partition}: the changelog's state is another")


def _some(numbers: list[int]) -> str:
    return f"{len(numbers)}" + (f" ({', '.join(map(str, numbers[:5]))} …)" if numbers else "")
