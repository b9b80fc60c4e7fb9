"""Restricts and lifts as throttle events say, ends each restriction, and acknowledges (aiokafka).

python enforce_aiokafka.py localhost:9092 byline. recommender-1
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

restricted = {}  # throttle_id -> its event; keep it and `newest` in your database
newest = {}  # key -> sequence of the last event that was carried out
OUTCOMES = {"throttle.applied": "applied", "throttle.lifted": "lifted"}


def carry_out(key, event):
    """Your own enforcing. Returns what to acknowledge; None: nothing."""
    if event["sequence"] > newest.get(key, 0):  # else it was read before a crash, and is done
        newest[key] = event["sequence"]
        if event["event"] == "throttle.applied":
            restricted[event["throttle_id"]] = event
        elif event["event"] == "throttle.lifted":
            restricted.pop(event["throttle_id"], None)
        end_what_expired()  # an event that is read late may be over already
    return OUTCOMES.get(event["event"])  # throttle.renewed moves the review, and is no order


def end_what_expired():
    now = datetime.now(UTC)
    for throttle_id, event in list(restricted.items()):
        if datetime.fromisoformat(event["expires_at"]) <= now:
            del restricted[throttle_id]


async def main(bootstrap, prefix, system):
    consumer = AIOKafkaConsumer(
        f"{prefix}throttles",
        bootstrap_servers=bootstrap,
        group_id=f"byline-enforcer-{system}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    async with consumer, producer:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    event = json.loads(record.value)
                    outcome = carry_out(record.key, event)
                    if outcome is not None:
                        print(f"{outcome}: {event['surface']} of {event['account_id']}", flush=True)
                        ack = {
                            "platform": event["platform"],
                            "account_id": event["account_id"],
                            "event_id": event["event_id"],
                            "outcome": outcome,
                            "system": system,
                            "occurred_at": datetime.now(UTC).isoformat(),
                        }
                        value = json.dumps(ack).encode()
                        await producer.send_and_wait(f"{prefix}throttle-acks", value, record.key)
            await consumer.commit()
            end_what_expired()


asyncio.run(main(*sys.argv[1:]))
