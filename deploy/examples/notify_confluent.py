"""Sends the notice of each issued invitation, and says whether it arrived (confluent-kafka).

python notify_confluent.py localhost:9092 byline.
"""

import json
import sys
from datetime import UTC, datetime

from confluent_kafka import Consumer, Producer

bootstrap, prefix = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": bootstrap,
        "group.id": "byline-notifier",
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
)
producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
    }
)


TOLD = {f"invitation.{it}" for it in ("issued", "reminded", "extended", "cancelled")}


def send(message_id, account, event):
    """Your own sending. Give it `message_id`, so that a repeated call sends nothing twice.

    Returns None when it arrived, else blocked, invalid, unreachable or other.
    """
    print(f"{message_id}: {event['event']} to {account}", flush=True)


consumer.subscribe([f"{prefix}invitations"])
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    event = json.loads(message.value())
    if event["event"] in TOLD:
        failure = send(event["event_id"], event["account_id"], event)
    if event["event"] == "invitation.issued":  # a receipt is for an issued notice, nothing else
        receipt = {
            "platform": event["platform"],
            "account_id": event["account_id"],
            "invitation_id": event["invitation_id"],
            "outcome": "failed" if failure else "delivered",
            "occurred_at": datetime.now(UTC).isoformat(),
            **({"failure": failure} if failure else {}),
        }
        producer.produce(f"{prefix}notice-receipts", json.dumps(receipt), message.key())
        if producer.flush(30):
            sys.exit("the receipt was not taken: the next start sends it again")
    consumer.commit(message, asynchronous=False)  # only now: a crash repeats, it loses nothing
