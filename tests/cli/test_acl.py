"""The least privileges, on a broker that enforces them: enough for each role, and no more."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from confluent_kafka import KafkaError as ConfluentError
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pydantic import SecretStr

from schemas.topics import INPUTS, OUTPUTS, STORES, TOPICS, TopicNames
from streams.engine.config import EngineConfig
from streams.engine.preflight import inspect_cluster
from streams.engine.processor import ProcessorSpec, Refusal, StoreSpec
from streams.kafka.configs import set_topic_configs
from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port
from streams.operate.acl import Permission, permissions
from streams.operate.clients import admin_client
from streams.operate.errors import KafkaAbsentError
from streams.operate.topics import apply, check, create
from streams.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(90)]

ROLES = ("worker", "platform", "notifier", "enforcer", "auditor", "administrator")
NAMES = TopicNames("byline.", "byline")
KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "IdempotentWrite": AclOperation.IDEMPOTENT_WRITE,
}


def bindings(it: Permission) -> list[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if it.prefixed else ResourcePatternType.LITERAL
    who = f"User:{it.role}"
    return [
        AclBinding(
            KINDS[it.kind],
            it.name,
            pattern,
            who,
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
        for operation in it.operations
    ]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which one logs in. Who does not is a super user, at another port."""
    plain, login, controller = free_port(), free_port(), free_port()
    users = " ".join(f'user_{role}="{role}"' for role in ROLES)
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    config = {
        "listeners": f"PLAINTEXT://{HOST}:{plain},SASL_PLAINTEXT://{HOST}:{login},"
        f"CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},SASL_PLAINTEXT://{HOST}:{login}",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "SASL_PLAINTEXT:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{module} required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    folder = tmp_path_factory.mktemp("guarded")
    with KafkaCluster(folder, port=plain, config=config) as cluster:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        wanted = [binding for it in permissions(Settings()) for binding in bindings(it)]
        for done in admin.create_acls(wanted).values():
            done.result(10)
        yield f"{HOST}:{login}"


def login(address: str, role: str) -> Settings:
    return Settings(
        kafka_bootstrap_servers=address,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username=role,
        kafka_sasl_password=role,  # type: ignore[arg-type]
    )


def client_arguments(address: str, role: str) -> dict[str, str]:
    return {
        "bootstrap_servers": address,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": role,
        "sasl_plain_password": role,
    }


@pytest.fixture
async def topics(guarded: str) -> str:
    """The administrator makes, checks and mends the topics: that is what it may."""
    administrator = login(guarded, "administrator")
    await create(administrator, 1)
    while await check(administrator):
        await apply(administrator)
    async with admin_client(administrator) as client:
        wrong = {"byline.switches": {"message.timestamp.type": "CreateTime"}}
        assert await set_topic_configs(client, wrong) == {}
    while not (await apply(administrator)).changed:
        await asyncio.sleep(0.1)
    return guarded


SPEC = ProcessorSpec(
    topics=tuple(NAMES.of(topic) for topic in INPUTS if not topic.single),
    broadcast="byline.switches",
    stores=tuple(StoreSpec(store, in_memory=False) for store in STORES),
    output_topics=(*map(NAMES.of, OUTPUTS), "byline.switches"),
    append_time=True,
)


def engine_config(address: str, folder: Path, **security: str) -> EngineConfig:
    logs_in = {**client_arguments(address, "worker"), **security}
    del logs_in["bootstrap_servers"]
    return EngineConfig(
        application_id="byline", bootstrap_servers=address, data_dir=folder, security=logs_in
    )


async def test_a_worker_may_look_at_all_that_it_checks(topics: str, tmp_path: Path) -> None:
    config = engine_config(topics, tmp_path)
    cluster = await inspect_cluster(config, SPEC, logging.getLogger())
    assert cluster.partition_count == 1
    assert set(cluster.ids()) == set(cluster.topics) >= {"byline-accounts-changelog"}


@pytest.mark.parametrize(
    ("security", "sentence"),
    [
        ({"sasl_plain_password": "wrong"}, "refuses the login of worker: user name or password"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, "knows no login by SCRAM-SHA-512"),
        (
            {"sasl_plain_username": "notifier", "sasl_plain_password": "notifier"},
            "a right is missing",
        ),
    ],
)
async def test_what_a_person_has_to_mend_ends_a_worker_with_2_and_the_cause_at_once(
    topics: str, tmp_path: Path, security: dict[str, str], sentence: str
) -> None:
    config = engine_config(topics, tmp_path, **security)
    async with asyncio.timeout(10):
        with pytest.raises(Refusal, match=sentence) as refused:
            await inspect_cluster(config, SPEC, logging.getLogger())
    assert refused.value.exit_code == 2


async def test_a_wrong_password_is_not_called_an_absent_kafka(topics: str) -> None:
    settings = login(topics, "worker").model_copy(
        update={"kafka_sasl_password": SecretStr("wrong")}
    )
    async with asyncio.timeout(10):
        with pytest.raises(KafkaAbsentError, match="refuses the login of worker"):
            async with admin_client(settings):
                pass


async def test_a_worker_may_do_its_whole_transaction(topics: str) -> None:
    arguments = client_arguments(topics, "worker")
    source = TopicPartition("byline.follower-counts", 0)
    async with AIOKafkaConsumer(group_id="byline", **arguments) as consumer:
        consumer.assign([source])
        assert await consumer.position(source) == 0
    async with (
        AIOKafkaProducer(transactional_id="byline-0", **arguments) as producer,
        producer.transaction(),
    ):
        for topic in TOPICS:
            if topic.role not in ("input", "acks") or topic.name == "switches":
                await producer.send_and_wait(NAMES.of(topic), b"{}", b"weibo:a", 0)
        await producer.send_offsets_to_transaction({source: 1}, "byline")


async def test_a_worker_may_not_write_its_own_input(topics: str) -> None:
    async with AIOKafkaProducer(**client_arguments(topics, "worker")) as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.follower-counts", b"{}", b"weibo:a", 0)


async def test_who_enforces_may_say_what_came_of_it(topics: str) -> None:
    async with AIOKafkaProducer(**client_arguments(topics, "enforcer")) as producer:
        await producer.send_and_wait("byline.throttle-acks", b"{}", b"weibo:a", 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.throttles", b"{}", b"weibo:a", 0)


async def test_a_worker_of_another_application_is_fenced_off(topics: str) -> None:
    producer = AIOKafkaProducer(transactional_id="other-0", **client_arguments(topics, "worker"))
    with pytest.raises(KafkaError, match="TransactionalIdAuthorizationFailed"):
        await producer.start()
    await producer.stop()


async def test_the_platform_may_send_readings_but_no_controls(topics: str) -> None:
    arguments = client_arguments(topics, "platform")
    async with AIOKafkaProducer(enable_idempotence=True, **arguments) as producer:
        await producer.send_and_wait("byline.follower-counts", b"{}", b"weibo:a", 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("byline.controls", b"{}", b"weibo:a", 0)


async def test_the_notifier_may_not_read_shadow_invitations(topics: str) -> None:
    arguments = client_arguments(topics, "notifier")
    group = "byline-notifier-1"
    async with AIOKafkaConsumer("byline.invitations", group_id=group, **arguments) as consumer:
        await consumer.getmany(timeout_ms=500)
    client = AdminClient(
        {
            "bootstrap.servers": topics,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "notifier",
            "sasl.password": "notifier",
        }
    )
    hidden = "byline.shadow.invitations"
    refusal = client.list_topics(hidden, timeout=10).topics[hidden].error
    assert refusal.code() == ConfluentError.TOPIC_AUTHORIZATION_FAILED
