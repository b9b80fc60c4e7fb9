"""What must be true of the cluster before a worker joins the group.

A broker that does not answer is waited for; topics that are missing or do not fit together are a
human's business, said in one line with the command that mends it.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, NoError, for_code

from streams.engine.config import EngineConfig
from streams.engine.processor import ProcessorSpec, Refusal

# A record batch is a little larger than what the builder counts: headers of the batch and of
# records.
BATCH_MARGIN_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the engine needs to know of the cluster."""

    cluster_id: str
    partition_count: int


async def inspect_cluster(
    config: EngineConfig, spec: ProcessorSpec, log: logging.Logger
) -> Cluster:
    """Wait for the broker, check the topics. Raises `Refusal`: 70 without broker, 2 for topics."""
    deadline = time.monotonic() + config.broker_wait_seconds
    pause = 0.5
    while True:
        client = AIOKafkaAdminClient(**config.client_arguments())
        try:
            await client.start()
            return await _inspect(client, config, spec)
        except (KafkaError, OSError, TimeoutError) as error:
            if time.monotonic() + pause > deadline:
                raise Refusal(
                    f"no Kafka at {config.bootstrap_servers} after "
                    f"{config.broker_wait_seconds:.0f} s: "
                    f"{error}",
                    70,
                ) from error
            log.warning(
                "no Kafka at %s yet (%s), trying again in %.1f s",
                config.bootstrap_servers,
                type(error).__name__,
                pause,
            )
        finally:
            await client.close()
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 5.0)


async def _inspect(
    client: AIOKafkaAdminClient, config: EngineConfig, spec: ProcessorSpec
) -> Cluster:
    described = await client.describe_cluster()
    changelogs = [config.changelog(store.name) for store in spec.stores]
    once = [spec.broadcast] if spec.broadcast is not None else []
    needed = list(dict.fromkeys([*spec.topics, *changelogs, *spec.output_topics, *once]))
    counts: dict[str, int] = {}
    # All topics are asked for: asking for one by name makes it, where the broker makes topics.
    for topic in await client.describe_topics():
        if topic["topic"] in needed:
            error = for_code(topic.get("error_code", 0))
            if error is not NoError:
                raise error(f"{topic['topic']} is not ready")
            counts[topic["topic"]] = len(topic["partitions"])
    partition_count = _check(config, spec, needed, changelogs, counts)
    await _check_sizes(client, config, [topic for topic in needed if topic != spec.broadcast])
    return Cluster(str(described.get("cluster_id", "")), partition_count)


def _check(
    config: EngineConfig,
    spec: ProcessorSpec,
    needed: list[str],
    changelogs: list[str],
    counts: dict[str, int],
) -> int:
    missing = [topic for topic in needed if topic not in counts]
    if missing:
        raise Refusal(
            f"missing topics: {', '.join(missing)}. Make them with: {config.topics_command}", 2
        )
    keyed = {topic: counts[topic] for topic in [*spec.topics, *changelogs]}
    if len(set(keyed.values())) != 1:
        listed = ", ".join(f"{topic} {count}" for topic, count in keyed.items())
        raise Refusal(
            f"inputs and changelogs must have the same number of partitions, but have: {listed}. "
            f"Mend it with kafka-topics, or remove the wrong ones and run: {config.topics_command}",
            2,
        )
    if spec.broadcast is not None and counts[spec.broadcast] != 1:
        raise Refusal(
            f"{spec.broadcast} must have one partition, it has {counts[spec.broadcast]}. Remove "
            f"it and "
            f"run: {config.topics_command}",
            2,
        )
    return next(iter(keyed.values()))


async def _check_sizes(
    client: AIOKafkaAdminClient, config: EngineConfig, topics: list[str]
) -> None:
    """Raises `Refusal` when a full batch would be refused by one of the topics."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": ""})
        for topic in topics
    ]
    needed = config.max_batch_bytes + BATCH_MARGIN_BYTES
    for response in await client.describe_configs(resources) if resources else []:
        for topic, limit in _limits(response):
            if limit < needed:
                raise Refusal(
                    f"{topic} takes batches of {limit} bytes (max.message.bytes), {needed} are "
                    f"needed. "
                    f"Raise it, or remove the topic and run: {config.topics_command}",
                    2,
                )


def _limits(response: Any) -> list[tuple[str, int]]:
    found = []
    for _error, _message, _kind, topic, entries in response.resources:
        for name, value, *_ in entries:
            if name == "max.message.bytes" and value is not None:
                found.append((topic, int(value)))
    return found
