"""`byline cluster reroute`: each record is moved once, whatever fails and whoever else moves it."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as Place

from streams import reroute as rerouting
from streams.kafka.requests import coordinators
from streams.kafka.requests.groups import UNSTABLE, OffsetFetchResponse7
from streams.operate.errors import KafkaAbsentError, NoRightError
from streams.operate.topics import create, names_of
from streams.settings import Settings
from streams.settings_checks import variable
from tests.chaos.wire.faults import Script, WireFault
from tests.chaos.wire.node import Proxied, proxied
from tests.chaos.wire.proxy import Proxy

pytestmark = pytest.mark.timeout(180)
on_a_broker = pytest.mark.kafka
ROOT = Path(__file__).parents[2]
OLD, NEW = 2, 4
"""How many partitions there were, and how many there are."""
EACH = 300
"""Records in each added partition, of which so many make several produce requests."""
IN_THE_NEXT = WireFault("released late", "late", 10.0, after_answers=1, between=True, to="Produce")


class RerouteSaid(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    made = proxied(tmp_path_factory.mktemp("reroute"))
    with made.cluster:
        yield made


@pytest.fixture
def grown(kafka: Proxied, fresh_prefix: str, fresh_app: str) -> Settings:
    """Two inputs with records in partitions that were added."""
    settings = Settings(
        kafka_bootstrap_servers=kafka.cluster.bootstrap,
        topic_prefix=fresh_prefix,
        application_id=fresh_app,
        partitions=OLD,
    )
    names = inputs(settings)

    async def make() -> None:
        await create(settings, OLD, 1)
        client = AIOKafkaAdminClient(bootstrap_servers=kafka.cluster.bootstrap)
        await client.start()
        try:
            await client.create_partitions(dict.fromkeys(names, NewPartitions(total_count=NEW)))
            async with asyncio.timeout(20):
                while True:
                    described = await client.describe_topics(names)
                    if all(len(it["partitions"]) == NEW for it in described):
                        break
                    await asyncio.sleep(0.1)
        finally:
            await client.close()

    asyncio.run(make())
    producer = Producer({"bootstrap.servers": kafka.cluster.bootstrap, "linger.ms": 50})
    failed: list[object] = []

    def heard(error: object, _: object) -> None:
        failed.extend([error] if error is not None else [])

    for topic in names:
        for partition in range(OLD, NEW):
            for number in range(EACH):
                value = f"{topic} {partition} {number} {'x' * 300}".encode()
                key = f"weibo:a{number}".encode()
                producer.produce(topic, value, key, partition, on_delivery=heard)
    assert (producer.flush(30), failed) == (0, [])
    return settings


def inputs(settings: Settings) -> list[str]:
    return [names_of(settings).input(name) for name in ("follower-counts", "consent-answers")]


async def reroute(settings: Settings, bootstrap: str, *words: str) -> RerouteSaid:
    """The command as a process of its own."""
    chosen = settings.model_copy(update={"kafka_bootstrap_servers": bootstrap})
    fields = ("kafka_bootstrap_servers", "topic_prefix", "application_id", "partitions")
    own = {variable(field): str(getattr(chosen, field)) for field in fields}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BYLINE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", "cluster", "reroute", *words),
        env={**kept, **own, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    return RerouteSaid(process.returncode, out.decode(), err.decode())


def moved(settings: Settings) -> Counter[bytes]:
    """How often each value lies in a partition that workers read."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": f"{settings.application_id}-count",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    places = [Place(topic, number, 0) for topic in inputs(settings) for number in range(OLD)]
    consumer.assign(places)
    found: Counter[bytes] = Counter()
    ended = 0
    while ended < len(places):
        message = consumer.poll(10)
        assert message is not None
        if message.error() is not None:
            ended += 1
        else:
            found[message.value()] += 1
    consumer.close()
    return found


def assert_each_once(settings: Settings) -> None:
    found = moved(settings)
    assert len(found) == len(inputs(settings)) * (NEW - OLD) * EACH
    assert set(found.values()) == {1}, Counter(found.values())


@on_a_broker
def test_given_a_command_that_was_overtaken_then_it_moves_nothing_a_second_time(
    kafka: Proxied, grown: Settings
) -> None:
    """Its positions are those after its producer began, so another command's are in them."""

    async def both() -> tuple[RerouteSaid, RerouteSaid]:
        late = WireFault("held", "", 12.0)
        async with Proxy(
            kafka.proxy_port, kafka.listener_port, Script({("InitProducerId", 1): late})
        ) as proxy:
            first = asyncio.ensure_future(reroute(grown, kafka.bootstrap, "--yes"))
            async with asyncio.timeout(60):
                while not proxy.passed["InitProducerId"]:
                    assert not first.done(), first.result()
                    await asyncio.sleep(0.05)
            second = await reroute(grown, kafka.cluster.bootstrap, "--yes")
            return await first, second

    first, second = asyncio.run(both())
    assert second.code == 0, second.err
    assert_each_once(grown)
    assert first.code == 0, first.err


@on_a_broker
@pytest.mark.parametrize("api", ["TxnOffsetCommit", "EndTxn"])
@pytest.mark.parametrize(
    "fault", [IN_THE_NEXT, WireFault("reset", "before the answer")], ids=["late", "reset"]
)
def test_given_no_answer_then_the_command_ends_and_the_next_one_moves_the_rest(
    kafka: Proxied, grown: Settings, api: str, fault: WireFault
) -> None:
    async def twice() -> tuple[RerouteSaid, RerouteSaid, list[str]]:
        async with Proxy(kafka.proxy_port, kafka.listener_port, Script({(api, 2): fault})) as proxy:
            first = await reroute(grown, kafka.bootstrap, "--yes")
            second = await reroute(grown, kafka.bootstrap, "--yes")
            return first, second, proxy.asked_again

    first, second, asked_again = asyncio.run(twice())
    assert asked_again == []
    assert first.code == 2, first
    assert "whole or not at all: run the command again" in first.err
    assert second.code == 0, second.err
    assert_each_once(grown)


@on_a_broker
def test_given_all_that_lay_there_was_deleted_then_workers_wait_no_longer_for_it(
    kafka: Proxied, grown: Settings
) -> None:
    """Workers compare the group's offset with the end, so a reroute has to move it there."""
    (_, topic) = inputs(grown)
    gone = {
        TopicPartition(topic, number): RecordsToDelete(before_offset=EACH)
        for number in range(OLD, NEW)
    }

    async def left() -> list[int]:
        return [it.left for it in await rerouting.strays(grown) if it.topic == topic]

    async def run() -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=kafka.cluster.bootstrap)
        await client.start()
        try:
            await client.delete_records(gone, 10_000)
            assert await left() == [0, 0]
            done = await rerouting.move(grown)
            assert done.moved[topic] == 0
            assert await left() == []
            committed = await client.list_consumer_group_offsets(grown.application_id)
            assert {tp: committed[tp].offset for tp in gone} == dict.fromkeys(gone, EACH)
        finally:
            await client.close()

    asyncio.run(run())


class Coordinator:
    """Answers with these error codes, one after the other, then with an offset."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)

    async def find_coordinator(self, _: str) -> int:
        return 1

    async def _send_request_to_node(self, _node: int, _request: object) -> OffsetFetchResponse7:
        code = self._codes.pop(0) if self._codes else 0
        of_one, of_all = (code, 0) if code == UNSTABLE else (0, code)
        rows = [] if of_all else [("inputs", [(2, -1 if of_one else 7, -1, "", of_one, {})], {})]
        return OffsetFetchResponse7(0, rows, of_all, {})


async def test_an_error_is_no_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinators, "COORDINATOR_SECONDS", 0)
    place = TopicPartition("inputs", 2)

    def asked(*codes: int) -> object:
        return rerouting._offsets(Coordinator(*codes), "app", [place])  # type: ignore[arg-type]

    loading, unavailable, moved_away, not_allowed = 14, 15, 16, 30
    assert await asked(loading, unavailable, moved_away, UNSTABLE) == {place: 7}  # type: ignore[misc]
    with pytest.raises(KafkaAbsentError, match="NotCoordinatorForGroupError"):
        await asked(*[moved_away] * 99)  # type: ignore[misc]
    with pytest.raises(KafkaAbsentError, match="UnknownError"):
        await asked(-1)  # type: ignore[misc]
    with pytest.raises(NoRightError, match="no right to Describe the group app"):
        await asked(not_allowed)  # type: ignore[misc]


async def test_aiokafkas_own_request_takes_an_error_for_no_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the request of our own is for."""

    async def answer(*_: object) -> OffsetFetchResponse_v3:
        return OffsetFetchResponse_v3(0, [], 16)

    client = AIOKafkaAdminClient()
    monkeypatch.setattr(client, "_send_request", answer)
    places = [TopicPartition("inputs", 2)]
    assert await client.list_consumer_group_offsets("app", 1, places) == {}
