"""What is done to the cluster, and the way out that the worker's own sentence names."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from confluent_kafka import Consumer, Producer

from schemas.topics import CHANGELOGS, DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, TOPICS, Topic
from streams import rebuild, reroute, upkeep
from streams.core.model.instants import rfc3339
from streams.engine.acceptance import ReadFrom
from streams.operate import topics
from tests.chaos.cluster.ground import PARTITIONS, ClusterGround, wait
from tests.support.topic_settings import change_topic

RESTORED_SECONDS = 20.0
"""What producers have sent in so many seconds is sent again to an input that was lost."""
MORE = 8


@dataclass(frozen=True)
class ChangeUnderFire:
    """`strike` changes the cluster, under running workers or (`between`) while none runs.

    `lead_out` does what the refusal says, with no worker running; `back`, where there is one, is
    done when they run again. `whole`: whether the topics hold everything, for the auditor.
    """

    name: str
    strike: Callable[[ClusterGround], None]
    lead_out: Callable[[ClusterGround], None]
    between: bool = False
    stays: bool = False
    whole: bool = True
    settle: Callable[[ClusterGround], None] | None = None


# Partitions -----------------------------------------------------------------------------------


def _grow(which: tuple[Topic, ...], *, until_seen: bool = False) -> Callable[[ClusterGround], None]:
    """`until_seen`: the broker's answer comes before it shows the new partitions to who starts."""

    def strike(ground: ClusterGround) -> None:
        names = [ground.names.of(topic) for topic in which if not topic.single]
        more = {name: NewPartitions(total_count=MORE) for name in names}
        ground.admin(lambda client: client.create_partitions(more))

        def seen() -> bool:
            shown = ground.admin(lambda client: client.describe_topics(names))
            return all(len(one["partitions"]) == MORE for one in shown)

        if until_seen and not wait(seen, 20):
            raise RuntimeError("the new partitions were not to be seen for 20 s")

    return strike


def _pin(ground: ClusterGround) -> None:
    ground.sender.pinned = True
    ground.environment["BYLINE_PARTITIONS"] = str(PARTITIONS)


def _reroute(ground: ClusterGround) -> None:
    """While they run; then an ordinary restart ends what is held back."""
    asyncio.run(reroute.move(ground.settings))
    ground.stop()
    ground.start()


# Topics ---------------------------------------------------------------------------------------


def _delete(topic: Topic) -> Callable[[ClusterGround], None]:
    def strike(ground: ClusterGround) -> None:
        ground.admin(lambda client: client.delete_topics([ground.names.of(topic)]))

    return strike


def _make_anew(topic: Topic) -> Callable[[ClusterGround], None]:
    """With more records than before, where that is anybody's to send: inputs and switches."""

    def strike(ground: ClusterGround) -> None:
        _delete(topic)(ground)
        before = _count(ground, topic)
        assert wait(lambda: _made(ground, topic), 60)
        ground.listener.begin_again()
        if topic.name == "switches":
            for _ in range(before + 20):
                off = {"scope": "weibo", "switch": "adverse_off", "on": False, "actor": "desk-1"}
                off |= {"reason": "test", "issued_at": rfc3339(1_700_000_000_000)}
                ground.sender.raw("switches", b"weibo:adverse_off", json.dumps(off).encode())
        elif topic in INPUTS:
            ground.sender.again(topic.name, RESTORED_SECONDS)
            number = 0
            while number < before + 200 and topic.name in ("follower-counts", "category-changes"):
                number += 1
                ground.traffic._reading()
        ground.sender.flush()

    return strike


def _count(ground: ClusterGround, topic: Topic) -> int:
    return sum(1 for one in ground.sender.said if one.topic == topic.name)


def _made(ground: ClusterGround, topic: Topic) -> bool:
    if not ground.create_topics():
        return False
    wrong = asyncio.run(topics.check(ground.settings))
    return ground.names.of(topic) not in {one.topic for one in wrong}


def _accept(topic: Topic) -> Callable[[ClusterGround], None]:
    def lead_out(ground: ClusterGround) -> None:
        assert wait(lambda: _made(ground, topic), 60)
        ground.listener.begin_again()
        if topic in INPUTS:
            ground.sender.again(topic.name, RESTORED_SECONDS)
        found = [str(one) for one in asyncio.run(upkeep.check(ground.settings))]
        name = re.escape(ground.names.of(topic))
        told = re.findall(rf"`byline cluster accept {name}=([\w-]+)`", " ".join(found))
        wanted = {ground.names.of(topic): told[0]}
        asyncio.run(upkeep.accept(ground.settings, wanted, ReadFrom.BEGINNING, yes=True))

    return lead_out


def _rebuild(ground: ClusterGround) -> None:
    disks = [ground.folder / f"disk-{number}" for number in range(len(ground.workers))]
    done = asyncio.run(rebuild.rebuild(ground.settings, disks, yes=True))
    if not done.written:
        raise RuntimeError(f"not rebuilt: {[(it.kind, it.why) for it in done.sources]}")
    ground.notes.append(", ".join(sorted({it.kind.partition(" ")[0] for it in done.sources})))


def _cut(ground: ClusterGround) -> None:
    name = ground.names.changelog("accounts")
    gone = {TopicPartition(name, n): RecordsToDelete(before_offset=5) for n in range(PARTITIONS)}
    for cleanup in ("delete", "compact"):
        ground.admin(lambda client, it=cleanup: change_topic(client, name, cleanup_policy=it))
        if cleanup == "delete":
            ground.admin(lambda client: client.delete_records(gone, 10_000))


def _cut_without_disks(ground: ClusterGround) -> None:
    _cut(ground)
    for number in range(len(ground.workers)):
        shutil.rmtree(ground.folder / f"disk-{number}", ignore_errors=True)


# Names ----------------------------------------------------------------------------------------


def _swap(setting: str) -> Callable[[ClusterGround], None]:
    def strike(ground: ClusterGround) -> None:
        ground.environment[setting] = f"other-{ground.environment[setting]}"
        assert wait(ground.create_topics, 60)

    return strike


def _swap_back(setting: str) -> Callable[[ClusterGround], None]:
    def lead_out(ground: ClusterGround) -> None:
        ground.environment[setting] = ground.environment[setting].removeprefix("other-")

    return lead_out


# The state's format -----------------------------------------------------------------------------


def _notes(ground: ClusterGround) -> dict[int, dict[str, Any]]:
    name = ground.names.changelog("accounts")
    consumer = Consumer(
        {
            "bootstrap.servers": ground.bootstrap,
            "group.id": f"{name}-reader",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    from confluent_kafka import TopicPartition as Place

    consumer.assign([Place(name, number, 0) for number in range(PARTITIONS)])
    found: dict[int, dict[str, Any]] = {}
    open_parts = set(range(PARTITIONS))
    while open_parts:
        message = consumer.poll(10)
        assert message is not None
        if message.error():
            open_parts.discard(message.partition())
        elif message.key() == b"#next":
            found[message.partition()] = json.loads(message.value())
    consumer.close()
    return found


def _write_format(number: int) -> Callable[[ClusterGround], None]:
    def strike(ground: ClusterGround) -> None:
        producer = Producer({"bootstrap.servers": ground.bootstrap, "log_level": 0})
        for partition, note in _notes(ground).items():
            value = json.dumps(note | {"format": number})
            name = ground.names.changelog("accounts")
            producer.produce(name, value, b"#next", partition=partition)
        producer.flush(10)

    return strike


KEYED_INPUTS = tuple(topic for topic in INPUTS if not topic.single)
WATCHED = (*INPUTS, *OUTPUTS, DECISIONS, DEAD_LETTERS, *CHANGELOGS)

CHANGES: tuple[ChangeUnderFire, ...] = (
    ChangeUnderFire(
        "partitions added: all keyed topics", _grow(TOPICS), _pin, stays=True, settle=_reroute
    ),
    ChangeUnderFire(
        "partitions added: inputs", _grow(KEYED_INPUTS), _pin, stays=True, settle=_reroute
    ),
    ChangeUnderFire(
        "partitions added between two starts",
        _grow(TOPICS, until_seen=True),
        _pin,
        True,
        settle=_reroute,
    ),
    ChangeUnderFire("changelog cut; disks there", _cut, _rebuild, between=True),
    ChangeUnderFire("changelog cut; disks lost", _cut_without_disks, _rebuild, between=True),
    ChangeUnderFire(
        "application id swapped",
        _swap("BYLINE_APPLICATION_ID"),
        _swap_back("BYLINE_APPLICATION_ID"),
        between=True,
    ),
    ChangeUnderFire(
        "prefix swapped",
        _swap("BYLINE_TOPIC_PREFIX"),
        _swap_back("BYLINE_TOPIC_PREFIX"),
        between=True,
    ),
    ChangeUnderFire("format from the future", _write_format(99), _write_format(1), between=True),
    *(
        ChangeUnderFire(
            f"deleted: {topic.name}",
            _delete(topic),
            _rebuild if topic in CHANGELOGS else _accept(topic),
            whole=topic in CHANGELOGS or topic == DEAD_LETTERS,
        )
        for topic in WATCHED
    ),
    *(
        ChangeUnderFire(
            f"made anew: {topic.name}",
            _make_anew(topic),
            _rebuild if topic in CHANGELOGS else _accept(topic),
            whole=topic in CHANGELOGS or topic == DEAD_LETTERS,
        )
        for topic in WATCHED
    ),
)
