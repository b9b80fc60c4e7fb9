"""Sends JSON lines to an input topic with confluent-kafka, each under its account's key.

python send_confluent.py localhost:9092 byline.follower-counts < readings.jsonl
"""

import json
import sys

from confluent_kafka import Producer

bootstrap, topic = sys.argv[1:]
failed = []
producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "partitioner": "murmur2_random",  # librdkafka's default puts keys elsewhere
        "enable.idempotence": True,  # nothing twice, nothing out of order; acks=all comes with it
    }
)


def told(error, message):
    if error is not None:
        failed.append(f"{message.key().decode()}: {error}")


def send(key, value):
    while True:
        try:
            return producer.produce(topic, key=key, value=value, on_delivery=told)
        except BufferError:  # its queue is full
            producer.poll(1.0)


for line in sys.stdin:
    value = json.loads(line)
    send(f"{value['platform']}:{value['account_id']}", line.strip())
    producer.poll(0)
producer.flush()
sys.exit("\n".join(failed) or 0)
