"""A hand-written transactional loop on aiokafka, record by record: the same as confluent_loop."""

import asyncio
import contextlib
import json
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

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


async def load_state() -> State:
    """The changelog, folded."""
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    wanted = NewTopic(CHANGELOG, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"})
    with contextlib.suppress(TopicAlreadyExistsError):
        await admin.create_topics([wanted])
    await admin.close()
    state: State = {}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=BOOTSTRAP, isolation_level="read_committed", enable_auto_commit=False
    )
    await consumer.start()
    places = [TopicPartition(CHANGELOG, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    await consumer.seek_to_beginning()
    ends = await consumer.end_offsets(places)
    while any([await consumer.position(place) < ends[place] for place in places]):
        found = await consumer.getmany(timeout_ms=500, max_records=10_000)
        for messages in found.values():
            for message in messages:
                state[message.key] = json.loads(message.value)
    await consumer.stop()
    return state


async def apply(state: State, message: Any, producer: AIOKafkaProducer) -> dict[str, Any]:
    """One input; the account as it is then."""
    value = json.loads(message.value)
    account = state.get(message.key)
    if account is None:
        account = state[message.key] = {"followers": 0, "category": None, "invited": False}
    if "followers" in value:
        account["followers"] = value["followers"]
    else:
        account["category"] = value["category"]
    over = account["followers"] >= LINE and account["category"] in COVERED
    if over and not account["invited"]:
        account["invited"] = True
        out = invitation(value["platform"], value["account_id"], account["followers"])
        await producer.send(INVITATIONS, dumps(out).encode(), key=message.key)
    return account


async def main() -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    producer = AIOKafkaProducer(
        bootstrap_servers=BOOTSTRAP,
        transactional_id=APPLICATION,
        compression_type="lz4",
        max_batch_size=256 << 10,
    )
    await producer.start()
    state = await load_state()
    consumer = AIOKafkaConsumer(
        FOLLOWERS,
        CATEGORIES,
        bootstrap_servers=BOOTSTRAP,
        group_id=APPLICATION,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    while not stop.is_set():
        batch = await consumer.getmany(timeout_ms=200, max_records=5000)
        if not batch:
            continue
        first()
        async with producer.transaction():
            changed: dict[bytes, tuple[int, dict[str, Any]]] = {}
            for place, messages in batch.items():
                for message in messages:
                    account = await apply(state, message, producer)
                    changed[message.key] = place.partition, account
            for key, (partition, account) in changed.items():
                await producer.send(
                    CHANGELOG, dumps(account).encode(), key=key, partition=partition
                )
            ends = {place: messages[-1].offset + 1 for place, messages in batch.items()}
            await producer.send_offsets_to_transaction(ends, APPLICATION)
    await consumer.stop()
    await producer.stop()


if __name__ == "__main__":
    asyncio.run(main())
