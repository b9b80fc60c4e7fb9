"""Sends JSON lines to an input topic with aiokafka, each under its account's key.

python send_aiokafka.py localhost:9092 byline.follower-counts < readings.jsonl
"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaProducer


async def main(bootstrap, topic):
    # Its partitioner is murmur2, as Java's. Idempotence brings acks=all.
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        sent = []
        for line in sys.stdin:
            value = json.loads(line)
            key = f"{value['platform']}:{value['account_id']}"
            sent.append(await producer.send(topic, line.strip().encode(), key.encode()))
        await asyncio.gather(*sent)  # raises if one could not be sent


asyncio.run(main(*sys.argv[1:]))
