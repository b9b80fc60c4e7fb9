"""Each right by itself: without it something is said, so none of those printed is one too many."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import TOPICS
from streams.doctor import Doctor
from streams.engine.preflight import inspect_cluster
from streams.kafka.configs import set_topic_configs
from streams.operate.account_states import States
from streams.operate.acl import Permission
from streams.operate.audit.reading import Reader
from streams.operate.clients import admin_client, consumer, producer
from streams.operate.errors import NoRightError
from streams.operate.live import live
from streams.operate.send import partition_count
from streams.operate.topics import check, create
from streams.stop_worker import StopWorker
from tests.cli.guarded import GRANTED, SPEC, engine_config, login, topics, until_refused
from tests.tls.cluster import GuardedKafka

__all__ = ["topics"]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def each(*roles: str) -> list[Permission]:
    """One operation at a time of what these roles are granted."""
    return [
        replace(it, operations=(operation,))
        for it in GRANTED
        if it.role in roles
        for operation in it.operations
    ]


@pytest.mark.slow
async def test_without_any_one_right_a_worker_names_it_and_ends_with_2(
    topics: GuardedKafka, tmp_path: Path
) -> None:
    config = engine_config(topics, tmp_path)
    tried = 0
    for right in each("worker"):
        if right.kind == "transactional-id":
            continue
        topics.forbid([right])
        try:
            refused = await until_refused(
                lambda: inspect_cluster(config, SPEC, logging.getLogger()), StopWorker
            )
        finally:
            topics.allow([right])
        assert isinstance(refused, StopWorker)
        assert refused.exit_code == 2
        assert right.name in refused.message, (right, refused.message)
        assert f"no right to {right.operations[0]}" in refused.message, right
        tried += 1
    assert tried > 30


@asynccontextmanager
async def verbs(kafka: GuardedKafka, role: str) -> AsyncIterator[dict[str, Any]]:
    """What a role does with a topic that it may read or write: as the verbs do it."""
    settings = login(kafka, role)
    sends = any("Write" in it.operations for it in GRANTED if it.role == role)
    async with consumer(settings) as reads, AsyncExitStack() as stack:
        writes = await stack.enter_async_context(producer(settings)) if sends else None

        async def read(topic: str) -> None:
            await Reader(reads, "").find([topic])

        async def describe(_: str) -> None:
            await live(settings)

        async def write(topic: str) -> None:
            assert writes is not None
            await partition_count(writes, topic)

        yield {"Read": read, "Write": write, "Describe": describe}


@pytest.mark.slow
@pytest.mark.parametrize(
    "role",
    [
        "platform",
        "notifier",
        "consent-desk",
        "operator",
        "auditor",
        "indexer",
        "redriver",
        "console",
    ],
)
async def test_without_any_one_right_a_verb_names_it(topics: GuardedKafka, role: str) -> None:
    async with verbs(topics, role) as does:
        for right in each(role):
            if right.kind != "topic":
                continue
            (operation,) = right.operations
            await does[operation](right.name)
            topics.forbid([right])
            try:
                refused = await until_refused(
                    lambda right=right: does[right.operations[0]](right.name), NoRightError
                )
            finally:
                topics.allow([right])
            assert f"no right to {operation} {right.name}" in str(refused)


@pytest.mark.parametrize("operation", ["Create", "Describe", "AlterConfigs"])
async def test_without_any_one_right_the_administrator_is_told(
    topics: GuardedKafka, operation: str
) -> None:
    administrator = login(topics, "administrator")
    rights = [it for it in each("administrator") if it.operations == (operation,)]
    switched = {"byline.controls": {"max.message.bytes": "1000"}}
    topics.forbid(rights)
    try:
        if operation == "Describe":
            found = await check(administrator)
            assert len(found) == len(TOPICS)
            assert {it.what for it in found} == {"no right to see it"}
            with pytest.raises(NoRightError, match="no right to Describe byline-accounts"):
                await create(administrator)
        elif operation == "AlterConfigs":
            found = await check(administrator)
            assert {it.what for it in found} == {"no right to see its settings"}
            async with admin_client(administrator) as client:
                assert await set_topic_configs(client, switched) != {}
        else:
            other = administrator.model_copy(update={"topic_prefix": "byline.other."})
            with pytest.raises(NoRightError, match="no right to Create byline"):
                await create(other)
    finally:
        topics.allow(rights)


def test_a_doctor_names_each_right_that_is_missing_and_looks_at_the_rest(
    topics: GuardedKafka, tmp_path: Path
) -> None:
    settings = login(topics, "worker").model_copy(update={"data_dir": tmp_path})
    lacking = [
        it
        for it in each("worker")
        if it.name in ("byline.consents", "byline-")
        or (it.name == "byline.controls" and it.operations == ("Read",))
    ]
    doctor = Doctor(settings, lambda: 0, lambda: ("nowhere", States(), False), limit_seconds=60)
    topics.forbid(lacking)
    try:
        looks = {it.look: it for it in doctor.examine()}
    finally:
        topics.allow(lacking)
    found = {(it.found, it.what_to_do) for it in looks["rights"].findings}
    cure = "`byline topics acl --role worker --commands` prints what grants it"
    assert found == {
        ("no right to Read byline.controls", cure),
        ("no right to Write byline.consents, the transactional-id byline-", cure),
        # Of a topic that may not even be seen, every right is missing.
        ("no right to DescribeConfigs byline.consents, byline.controls", cure),
    }
    # Who may not ask for the cluster's time is told so, and that alone is no fault.
    assert looks["clock"].is_well
    assert "no right to Describe the cluster" in looks["clock"].findings[0].found
    assert not looks["rights"].is_well
    assert "right-worker" not in str(looks)


@pytest.mark.parametrize("role", ["worker", "indexer", "auditor", "administrator"])
def test_with_all_that_its_role_is_granted_a_doctor_finds_all_well(
    topics: GuardedKafka, tmp_path: Path, role: str
) -> None:
    """What a role may not see by design is unknown, and no fault."""
    settings = login(topics, role).model_copy(update={"data_dir": tmp_path})
    tmp_path.chmod(0o700)
    now = round(time.time() * 1000)
    doctor = Doctor(
        settings, lambda: now, lambda: ("nowhere", States(), False), role=role, limit_seconds=60
    )
    looks = doctor.examine()
    assert [it for it in looks if not it.is_well] == []
    unseen = [it.found for look in looks if look.look == "topics" for it in look.findings]
    assert ("byline.throttle-acks: no right to see it" in unseen) is (role == "worker")
