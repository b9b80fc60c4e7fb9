"""`byline topics`: what is made, what is left, and each difference that is found."""

import asyncio
import json

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import AdminClient, ConfigResource

from schemas.topics import (
    CHANGELOGS,
    DECISIONS,
    EVENT_RETENTION_MS,
    INPUTS,
    OUTPUTS,
    THROTTLE_ACKS,
    TOPICS,
    TopicNames,
)
from streams.kafka.configs import set_topic_configs
from streams.operate.account_states import CHANGELOG
from streams.operate.acl import permissions
from streams.operate.topics import (
    Existing,
    TopicDifference,
    check,
    create,
    differences,
)
from streams.operate.worklists import WORK_LISTS, topics_of
from streams.settings import Settings
from tests.cli.conftest import Byline

NAMES = TopicNames("byline.", "byline")
ENTRY = "message.timestamp.type"


def as_needed(partitions: int = 4) -> dict[str, Existing]:
    return {
        NAMES.of(topic): Existing(1 if topic.single else partitions, 1, topic.config)
        for topic in TOPICS
    }


def changed(name: str, **config: str) -> list[TopicDifference]:
    existing = as_needed()
    topic = existing[name]
    renamed = {key.replace("_", "."): value for key, value in config.items()}
    existing[name] = Existing(topic.partitions, 1, {**topic.config, **renamed})
    return list(differences(NAMES, existing))


def test_what_is_as_needed_has_no_difference() -> None:
    assert list(differences(NAMES, as_needed())) == []


def test_every_missing_topic_is_named() -> None:
    found = [str(difference) for difference in differences(NAMES, {})]
    assert found == [f"{NAMES.of(topic)}: missing" for topic in TOPICS]


def test_the_odd_partition_count_is_named() -> None:
    existing = as_needed(4)
    existing["byline.controls"] = Existing(3, 1, existing["byline.controls"].config)
    existing["byline.switches"] = Existing(2, 1, existing["byline.switches"].config)
    assert [str(difference) for difference in differences(NAMES, existing)] == [
        "byline.switches: the number of partitions is 2, 1 is needed",
        "byline.controls: the number of partitions is 3, 4 is needed",
    ]


def test_decisions_are_kept_three_years_or_longer() -> None:
    short = str(EVENT_RETENTION_MS - 1)
    assert [str(difference) for difference in changed("byline.decisions", retention_ms=short)] == [
        f"byline.decisions: retention.ms is {short}, at least {EVENT_RETENTION_MS} is needed"
    ]
    assert changed("byline.decisions", retention_ms="-1") == []
    assert changed("byline.decisions", retention_ms=str(EVENT_RETENTION_MS + 1)) == []


@pytest.mark.parametrize(
    ("topic", "setting", "value", "needed"),
    [
        ("byline.decisions", "retention.bytes", "1073741824", "-1"),
        ("byline.decisions", "cleanup.policy", "compact,delete", "delete"),
        ("byline.switches", "retention.ms", "604800000", "-1"),
        ("byline.follower-counts", "cleanup.policy", "delete", "compact"),
        ("byline.follower-counts", "min.compaction.lag.ms", "0", "at least 2592000000"),
        ("byline.consents", "max.message.bytes", "1000", "at least 1048588"),
        ("byline.controls", "max.message.bytes", "1000", "1048588"),
        ("byline.controls", "max.message.bytes", "20971520", "1048588"),
        ("byline.consents", "message.timestamp.type", "LogAppendTime", "CreateTime"),
        ("byline.switches", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("byline.throttle-acks", "retention.ms", "604800000", str(EVENT_RETENTION_MS)),
    ],
)
def test_each_setting_is_compared(topic: str, setting: str, value: str, needed: str) -> None:
    existing = as_needed()
    found = existing[topic]
    existing[topic] = Existing(found.partitions, 1, {**found.config, setting: value})
    assert list(differences(NAMES, existing)) == [TopicDifference(topic, setting, needed, value)]


def test_batches_of_an_output_may_be_larger() -> None:
    """A worker alone writes them, and it makes them small."""
    assert changed("byline.consents", max_message_bytes="20971520") == []


def test_longer_than_long_is_long_too() -> None:
    """Else `topics apply` would have records deleted."""
    assert changed("byline.consents", retention_ms=str(EVENT_RETENTION_MS + 1)) == []
    assert changed("byline.controls", retention_ms="-1") == []


@pytest.mark.kafka
def test_create_makes_what_check_then_approves(on_kafka: Settings, byline: Byline) -> None:
    before = byline("topics", "check")
    assert before.code == 1
    assert before.out.count(": missing") == len(TOPICS)
    made = byline("topics", "create", "--partitions", "3", "--json")
    assert made.code == 0
    assert len(json.loads(made.out)["made"]) == len(TOPICS)
    assert byline("topics", "check", "--json").out == '{\n  "ok": true,\n  "differences": []\n}\n'
    again = byline("topics", "create")
    assert f"0 topics made (3 partitions, 1 replicas), {len(TOPICS)} left" in again.out
    other = byline("topics", "create", "--partitions", "4")
    assert other.code == 2
    assert other.err.startswith("the existing topics have 3 partitions: leave --partitions out")


@pytest.mark.kafka
async def test_what_somebody_else_made_is_left_and_its_differences_told(
    on_kafka: Settings,
) -> None:
    names = TopicNames(on_kafka.topic_prefix, on_kafka.application_id)
    decisions, controls = names.of(DECISIONS), names.input("controls")
    admin = AIOKafkaAdminClient(bootstrap_servers=on_kafka.kafka_bootstrap_servers)
    await admin.start()
    config = {"retention.ms": "3600000", "max.message.bytes": "2000000"}
    await admin.create_topics(
        [NewTopic(decisions, 2, 1, topic_configs=config), NewTopic(controls, 2, 1)]
    )
    while {decisions, controls}.difference(await admin.list_topics()):
        await asyncio.sleep(0.05)
    await admin.close()
    done = await create(on_kafka)
    assert (done.partitions, set(done.left)) == (2, {decisions, controls})
    assert [str(difference) for difference in await check(on_kafka)] == [
        f"{controls}: message.timestamp.type is CreateTime, LogAppendTime is needed",
        f"{controls}: retention.ms is 604800000, {EVENT_RETENTION_MS} is needed",
        f"{decisions}: retention.ms is 3600000, at least {EVENT_RETENTION_MS} is needed",
    ]


async def made_by_0_1_0(settings: Settings) -> TopicNames:
    """A cluster as version 0.1.0 left it: other settings, and no topic of acknowledgements."""
    names = TopicNames(settings.topic_prefix, settings.application_id)
    await create(settings, 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_topics([names.of(THROTTLE_ACKS)])
    inputs = {names.of(topic): {ENTRY: "CreateTime"} for topic in INPUTS}
    own = {names.input("controls"): {"segment.ms": "604800001", ENTRY: "CreateTime"}}
    assert await set_topic_configs(admin, {**inputs, **own}) == {}
    while names.of(THROTTLE_ACKS) in await admin.list_topics():
        await asyncio.sleep(0.05)
    while sum(it.what == ENTRY for it in await check(settings)) < len(INPUTS):
        await asyncio.sleep(0.05)
    await admin.close()
    return names


async def settings_of(settings: Settings, topic: str) -> dict[str, str]:
    """A topic's settings as another client library reads them."""
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = client.describe_configs([resource])[resource].result(10)
    return {name: entry.value for name, entry in entries.items()}


@pytest.mark.kafka
async def test_apply_sets_what_check_names_and_nothing_else(
    on_kafka: Settings, byline: Byline
) -> None:
    names = await made_by_0_1_0(on_kafka)
    controls = names.input("controls")
    before = await settings_of(on_kafka, controls)
    dry = await asyncio.to_thread(byline, "topics", "apply", "--dry-run")
    assert dry.code == 1, "a topic is missing"
    line = f"{controls}: message.timestamp.type would be set to LogAppendTime (was CreateTime)"
    assert line in dry.out.splitlines()
    assert len([it for it in dry.out.splitlines() if "would be set" in it]) == len(INPUTS)
    assert await settings_of(on_kafka, controls) == before, "a dry run changes nothing"
    done = await asyncio.to_thread(byline, "topics", "apply")
    assert f"{names.of(THROTTLE_ACKS)}: missing; left as it is" in done.out
    assert "`byline topics create` makes the missing ones" in done.out
    after = await settings_of(on_kafka, controls)
    assert {name for name in after if after[name] != before[name]} == {ENTRY}
    assert (after["segment.ms"], after[ENTRY]) == ("604800001", "LogAppendTime")
    assert (await asyncio.to_thread(byline, "topics", "create")).code == 0
    assert (await asyncio.to_thread(byline, "topics", "check")).code == 0
    again = await asyncio.to_thread(byline, "topics", "apply", "--json")
    assert (again.code, json.loads(again.out)["changed"]) == (0, [])


@pytest.mark.kafka
async def test_the_cluster_has_every_declared_setting(on_kafka: Settings) -> None:
    """Asked by another client library than the one that made them."""
    await create(on_kafka, 2)
    names = TopicNames(on_kafka.topic_prefix, on_kafka.application_id)
    client = AdminClient({"bootstrap.servers": on_kafka.kafka_bootstrap_servers})
    resources = {
        topic: ConfigResource(ConfigResource.Type.TOPIC, names.of(topic)) for topic in TOPICS
    }
    answers = client.describe_configs(list(resources.values()))
    for topic, resource in resources.items():
        found = {name: entry.value for name, entry in answers[resource].result(10).items()}
        assert {name: found[name] for name in topic.config} == topic.config, topic.name


def test_the_worker_may_not_write_an_input_nor_read_an_output() -> None:
    mine = [it for it in permissions(Settings()) if it.role == "worker"]
    topics = {it.name: set(it.operations) for it in mine if it.kind == "topic"}
    for topic in TOPICS:
        if topic.role == "acks":
            assert NAMES.of(topic) not in topics
            continue
        wanted = {
            "input": {"Read"},
            "changelog": {"Read", "Write"},
            "policies": {"Read", "Write"},
        }.get(topic.role, {"Write"})
        wanted |= {"Write"} if topic.name == "switches" else set()
        wanted |= {"DescribeConfigs"} if topic.role != "policies" else set()
        assert topics[NAMES.of(topic)] == wanted
    rest = {(it.kind, it.name, it.prefixed, it.operations) for it in mine if it.kind != "topic"}
    assert rest == {
        ("group", "byline", False, ("Read",)),
        ("transactional-id", "byline-", True, ("Write",)),
    }


def test_every_input_has_one_who_sends_it_and_no_one_obeys_shadow() -> None:
    others = [
        it
        for it in permissions(Settings())
        if it.role not in ("worker", "auditor", "indexer", "redriver", "console", "upkeeper")
    ]
    writers = [it.name for it in others if "Write" in it.operations and it.kind == "topic"]
    assert sorted(writers) == sorted(NAMES.of(topic) for topic in (*INPUTS, THROTTLE_ACKS))
    assert {it.role for it in others if it.name.endswith("throttle-acks")} == {"enforcer"}
    # Operators look at shadow events; nobody who obeys events may see one.
    assert {it.role for it in others if "shadow" in it.name} == {"operator"}


def test_operators_may_read_what_their_lists_and_the_way_back_are_read_from() -> None:
    mine = [it for it in permissions(Settings()) if it.role == "operator"]
    names = {it.name for it in mine if "Read" in it.operations}
    read = {name.removeprefix("byline.").removeprefix("byline-") for name in names}
    lists = {name for which in WORK_LISTS for name in topics_of(which)}
    events = {topic.name for topic in OUTPUTS}
    assert read == {*lists, *events, CHANGELOG, "controls", "switches", "dead-letters"}


def test_the_console_may_do_what_operator_and_redriver_may_and_read_what_the_auditor_may() -> None:
    def rights(*roles: str) -> set[tuple[str, str, bool, str]]:
        mine = [it for it in permissions(Settings()) if it.role in roles]
        return {(it.kind, it.name, it.prefixed, does) for it in mine for does in it.operations}

    read = {it for it in rights("auditor") if it[0] == "topic" and it[3] == "Read"}
    assert rights("console") == rights("operator", "redriver") | read


def test_whoever_upkeeps_deletes_the_changelogs_alone_and_decides_nothing() -> None:
    mine = [it for it in permissions(Settings()) if it.role == "upkeeper" and it.kind == "topic"]
    changelogs = {NAMES.of(topic) for topic in CHANGELOGS}
    for operation in ("Create", "Delete"):
        assert {it.name for it in mine if operation in it.operations} == changelogs
    written = {it.name for it in mine if "Write" in it.operations}
    assert written == changelogs | {NAMES.of(topic) for topic in INPUTS}


def test_no_privilege_is_granted_twice() -> None:
    granted = [
        (it.role, it.kind, it.name, operation)
        for it in permissions(Settings())
        for operation in it.operations
    ]
    assert len(granted) == len(set(granted))


def test_acl_lines_can_be_run(byline: Byline) -> None:
    answer = byline("topics", "acl", "--role", "notifier", "--commands")
    assert answer.out.splitlines() == [
        "kafka-acls --bootstrap-server localhost:9092 --add"
        " --allow-principal User:byline-notifier " + rest
        for rest in (
            "--operation Write --topic byline.notice-receipts",
            "--operation Read --topic byline.invitations",
            "--operation Read --group byline-notifier --resource-pattern-type prefixed",
        )
    ]
    login = ("--role", "notifier", "--commands", "--command-config", "admin.properties")
    for line in byline("topics", "acl", *login).out.splitlines():
        start = "kafka-acls --bootstrap-server localhost:9092 --command-config admin.properties"
        assert line.startswith(start)
    assert byline("topics", "acl", "--role", "nobody").code == 2
    assert "byline-auditor" in byline("topics", "acl").out
    assert {"principal", "role", "kind"} <= set(
        json.loads(byline("topics", "acl", "--json").out)[0]
    )
