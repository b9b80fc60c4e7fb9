"""A hand-written transactional loop on confluent-kafka: a dictionary, JSON, one process.

State changes, invitations and offsets go out in one transaction; the dictionary is rebuilt from a
compacted changelog (read_committed) at start.
"""

import json
import signal
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench.peers.common import (
    APPLICATION,
    BOOTSTRAP,
    CATEGORIES,
    CHANGELOG,
    COVERED,
    FOLLOWERS,
    INVITATIONS,
    LINE,
    PARTITIONS,
    first,
    invitation,
)

dumps = json.JSONEncoder(separators=(",", ":")).encode
State = dict[bytes, dict[str, Any]]


def load_state() -> State:
    """The changelog, folded."""
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    wanted = NewTopic(CHANGELOG, PARTITIONS, 1, config={"cleanup.policy": "compact"})
    try:
        admin.create_topics([wanted])[CHANGELOG].result()
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise
    state: State = {}
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": f"{APPLICATION}-restore",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign(
        [TopicPartition(CHANGELOG, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
    )
    left = PARTITIONS
    while left:
        for message in consumer.consume(10_000, 0.5):
            if message.error():
                left -= 1  # The end of one partition.
            else:
                state[message.key()] = json.loads(message.value())
    consumer.close()
    return state


def apply(state: State, message: Any, producer: Producer) -> dict[str, Any]:
    """One input; the account as it is then."""
    key, value = message.key(), json.loads(message.value())
    account = state.get(key)
    if account is None:
        account = state[key] = {"followers": 0, "category": None, "invited": False}
    if "followers" in value:
        account["followers"] = value["followers"]
    else:
        account["category"] = value["category"]
    over = account["followers"] >= LINE and account["category"] in COVERED
    if over and not account["invited"]:
        account["invited"] = True
        out = invitation(value["platform"], value["account_id"], account["followers"])
        producer.produce(INVITATIONS, dumps(out), key)
    return account


def main() -> None:
    """Until SIGTERM."""
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    producer = Producer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "transactional.id": APPLICATION,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "linger.ms": 5,
        }
    )
    producer.init_transactions()
    state = load_state()
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": APPLICATION,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([FOLLOWERS, CATEGORIES])
    while running:
        messages = consumer.consume(5000, 0.1)
        if not messages:
            continue
        first()
        producer.begin_transaction()
        changed: dict[bytes, tuple[int, dict[str, Any]]] = {}
        offsets: dict[tuple[str, int], int] = {}
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            account = apply(state, message, producer)
            changed[message.key()] = message.partition(), account
            offsets[message.topic(), message.partition()] = message.offset() + 1
        for key, (partition, account) in changed.items():
            producer.produce(CHANGELOG, dumps(account), key, partition)
        producer.send_offsets_to_transaction(
            [TopicPartition(*where, offset) for where, offset in offsets.items()],
            consumer.consumer_group_metadata(),
        )
        producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    main()
