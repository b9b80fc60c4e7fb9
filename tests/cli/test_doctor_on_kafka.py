"""`byline doctor` on one estate with a real Kafka, broken in one way after another."""

import asyncio
import re
import time
from collections.abc import Iterator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from confluent_kafka import Producer

from schemas.topics import DECISIONS, THROTTLE_ACKS, TOPICS
from streams.cli.policy_running import running_states
from streams.doctor import Doctor, Seen
from streams.index.database import FILE_NAME
from streams.kafka.configs import set_topic_configs
from streams.operate.clients import admin_client, producer
from streams.operate.topics import check, config_of, create, names_of
from streams.policies import load_policy
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.conftest import RunningKafka
from tests.index.filled import filled
from tests.operate.conftest import POLICY
from tests.operate.recording import Tape

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def estate(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Topics as they have to be, a good data folder, one policy."""
    folder = tmp_path_factory.mktemp("estate")
    for name in ("policies", "data"):
        (folder / name).mkdir(mode=0o700)
    (folder / "policies" / "weibo.yaml").write_text(POLICY)
    settings = Settings(
        kafka_bootstrap_servers=kafka.bootstrap,
        topic_prefix="doctor.",
        application_id="doctor",
        policies=folder / "policies",
        data_dir=folder / "data",
    )
    asyncio.run(create(settings, 2))
    return settings


def examined(settings: Settings, ahead_seconds: float = 0.0) -> dict[str, Seen]:
    """All looks by name, by a clock that is so far ahead of this machine's."""
    doctor = Doctor(
        settings,
        lambda: round(1000 * (time.time() + ahead_seconds)),
        lambda: running_states(settings, kafka=False),
        limit_seconds=60,
    )
    return {it.look: it for it in doctor.examine()}


def not_well(looks: dict[str, Seen]) -> dict[str, tuple[tuple[str, str], ...]]:
    """What is not well: by look, what was found and what to do."""
    return {
        name: tuple((it.found, it.what_to_do) for it in seen.findings)
        for name, seen in looks.items()
        if not seen.is_well
    }


def test_an_estate_that_is_as_it_has_to_be_is_well(
    estate: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in ("kafka_bootstrap_servers", "topic_prefix", "application_id"):
        monkeypatch.setenv(f"BYLINE_{field.upper()}", str(getattr(estate, field)))
    monkeypatch.setenv("BYLINE_POLICIES", str(estate.policies))
    monkeypatch.setenv("BYLINE_DATA_DIR", str(estate.data_dir))
    answer = byline("doctor", "--within-seconds", "60")
    said = "nothing is wrong; not known from here: policies that run, last audit\n"
    assert (answer.code, answer.out.endswith(said)) == (0, True), answer.out
    assert "s from the cluster's clock" in answer.out
    assert "no worker has taken up any policy yet" in answer.out


def test_where_no_topic_was_made_yet_each_is_named_and_no_right_is_missed(
    estate: Settings,
) -> None:
    looks = examined(estate.model_copy(update={"topic_prefix": "none.", "application_id": "none"}))
    found = not_well(looks)
    assert len(found["topics"]) == len(TOPICS)
    # What cannot be looked at without topics says so by itself.
    assert set(found) == {"topics", "open transactions", "policies that run"}
    assert all("`byline topics create` makes" in str(it) for it in found.values())


async def _set(settings: Settings, topic: str, **config: str) -> None:
    """Change settings of a topic; return when the brokers tell them."""
    wanted = {topic: {name.replace("_", "."): value for name, value in config.items()}}
    before = await check(settings)
    async with admin_client(settings) as client:
        assert await set_topic_configs(client, wanted) == {}
    while await check(settings) == before:
        await asyncio.sleep(0.05)


def test_a_wrong_setting_of_a_topic_is_named_with_the_command(estate: Settings) -> None:
    topic = f"{estate.topic_prefix}controls"
    asyncio.run(_set(estate, topic, message_timestamp_type="CreateTime"))
    try:
        found = not_well(examined(estate))
    finally:
        asyncio.run(_set(estate, topic, message_timestamp_type="LogAppendTime"))
    words = f"{topic}: message.timestamp.type is CreateTime, LogAppendTime is needed"
    assert found == {"topics": ((words, "`byline topics apply` sets it; --dry-run says it first"),)}


async def _without(settings: Settings, topic: str) -> None:
    async with admin_client(settings) as client:
        await client.delete_topics([topic])
        while topic in await client.list_topics():
            await asyncio.sleep(0.05)


def test_a_missing_topic_is_named_with_the_command(estate: Settings) -> None:
    topic = names_of(estate).of(THROTTLE_ACKS)
    asyncio.run(_without(estate, topic))
    try:
        found = not_well(examined(estate))
    finally:
        asyncio.run(create(estate))
    assert found == {"topics": ((f"{topic}: missing", "`byline topics create` makes it"),)}


def test_partitions_that_do_not_fit_are_named(estate: Settings) -> None:
    topic = names_of(estate).of(THROTTLE_ACKS)

    async def remake(count: int) -> None:
        await _without(estate, topic)
        async with admin_client(estate) as client:
            wanted = NewTopic(topic, count, 1, topic_configs=config_of(THROTTLE_ACKS, 1))
            await client.create_topics([wanted])
            while topic not in await client.list_topics():
                await asyncio.sleep(0.05)

    asyncio.run(remake(3))
    try:
        ((found, _),) = not_well(examined(estate))["topics"]
    finally:
        asyncio.run(remake(2))
    assert found == f"{topic}: the number of partitions is 3, 2 is needed"


@pytest.mark.parametrize(("seconds", "way"), [(600, "ahead of"), (-600, "behind")])
def test_a_clock_that_is_off_is_named_with_how_far(
    estate: Settings, seconds: float, way: str
) -> None:
    found = not_well(examined(estate, ahead_seconds=seconds))
    ((words, cure),) = found["clock"]
    assert set(found) == {"clock"}
    said = re.fullmatch(rf"this machine's clock is ([\d.]+) s {way} the cluster's", words)
    assert said is not None, words
    # Half of a request's time, at most, is not known: 599.9 was seen on a busy machine.
    assert abs(float(said[1]) - 600) <= 0.5
    assert "NTP" in cure


@pytest.fixture
def hanging(estate: Settings) -> Iterator[str]:
    """A producer of answers that leaves a transaction open; its id."""
    name = "doctor-desk"
    producer = Producer(
        {
            "bootstrap.servers": estate.kafka_bootstrap_servers,
            "transactional.id": name,
            "transaction.timeout.ms": 600_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(f"{estate.topic_prefix}consent-answers", b"{", b"weibo:a", partition=1)
    producer.flush(10)
    yield name
    producer.abort_transaction(10)


def test_an_open_transaction_is_named_with_its_producer_and_the_command_that_aborts_it(
    estate: Settings, hanging: str
) -> None:
    """By a clock a minute ahead, so that it has been open for that long."""
    topic = f"{estate.topic_prefix}consent-answers"
    assert "open transactions" not in not_well(examined(estate))
    ((words, cure),) = not_well(examined(estate, ahead_seconds=60))["open transactions"]
    assert words.startswith(f"{topic}[1] is blocked at offset ")
    assert f"({hanging}) has had a transaction open for 6" in words
    assert "Kafka ends it by itself within" in cure
    command = f"kafka-transactions --bootstrap-server {estate.kafka_bootstrap_servers} abort"
    assert f"{command} --topic {topic} --partition 1 --start-offset " in cure


def test_a_policy_on_disk_that_is_not_the_one_that_runs_is_named(
    estate: Settings,
) -> None:
    """What runs is known from an index, as from the changelog."""
    file = estate.policies / "weibo.yaml"
    folder = estate.data_dir / estate.application_id
    folder.mkdir()
    filled(folder, Tape(load_policy(file)), FILE_NAME).dispose()
    assert not not_well(examined(estate))
    file.write_text(POLICY.replace("version: 1\n", "version: 2\n").replace("PT3S", "PT9S"))
    try:
        found = not_well(examined(estate))
    finally:
        file.write_text(POLICY)
        (folder / FILE_NAME).unlink()
    ((words, cure),) = found["policies that run"]
    assert set(found) == {"policies that run"}
    assert words.startswith("weibo: the file is newer: it counts once the workers are started")
    assert cure.startswith("`byline policy check --running`")


async def _decided(settings: Settings, upto: int) -> None:
    """Write three records to partition 0 of the log, then delete those before an offset."""
    place = TopicPartition(names_of(settings).of(DECISIONS), 0)
    async with producer(settings) as writes:
        for _ in range(3):
            await writes.send_and_wait(place.topic, b"{}", b"weibo:a", place.partition)
    async with admin_client(settings) as client:
        await client.delete_records({place: RecordsToDelete(before_offset=upto)}, 10_000)


@pytest.mark.parametrize(("upto", "says"), [(2, "begins at offset 2"), (-1, "is empty")])
def test_a_log_whose_beginning_is_gone_is_named_with_what_judges_the_rest(
    estate: Settings, fresh_prefix: str, upto: int, says: str
) -> None:
    mine = estate.model_copy(update={"topic_prefix": fresh_prefix})
    asyncio.run(create(mine, 2))
    assert "decision log" not in not_well(examined(mine))
    asyncio.run(_decided(mine, upto))
    ((words, cure),) = not_well(examined(mine))["decision log"]
    assert words.startswith(f"{fresh_prefix}decisions[0] {says}")
    assert "`byline audit --against` an anchor says up to where it was whole" in cure
    if upto > 0:
        assert re.search(r"`byline audit --from \S+Z` judges what is left", cure)
        (said,) = examined(mine, ahead_seconds=3 * 366 * 86_400)["decision log"].findings
        assert said.verdict == "well"
        assert said.found.endswith("retention took what came before")
