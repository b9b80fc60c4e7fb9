"""Changes settings of topics on a test's broker."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


async def change_topic(client: AIOKafkaAdminClient, topic: str, **settings: str) -> None:
    """Set settings of a topic (`cleanup_policy` stands for `cleanup.policy`), and reset the others.

    Returns once the broker describes them so: the controller acknowledges a change before the
    broker knows it, and a worker that is started in between finds the old one. Raises
    `TimeoutError` where that takes 20 s.
    """
    wanted = {name.replace("_", "."): value for name, value in settings.items()}
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])
    async with asyncio.timeout(20):
        while not wanted.items() <= (await _described(client, topic)).items():
            await asyncio.sleep(0.05)


async def _described(client: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {
        name: value
        for answer in answers
        for *_, entries in answer.resources
        for name, value, *_ in entries
    }
