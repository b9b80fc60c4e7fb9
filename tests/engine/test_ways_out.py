"""What a worker refuses about its cluster has a way out: each one is gone here, to its end."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from streams.engine import acceptance, fencing
from streams.engine.acceptance import AcceptedChange, ReadFrom
from streams.engine.config import EngineConfig
from streams.local.kafka import KafkaCluster
from streams.stop_worker import StopWorker
from tests.engine.harness import HarnessWorker, Toys, wait_until
from tests.engine.toy import Toy

pytestmark = pytest.mark.kafka
SESSION_SECONDS = 6.0


@pytest.fixture(autouse=True)
def short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has just ended is gone from the group sooner."""
    worker = Toys.worker

    def short(self: Toys, name: str = "one", **options: Any) -> HarnessWorker:
        return worker(self, name, session_timeout_seconds=SESSION_SECONDS, **options)

    monkeypatch.setattr(Toys, "worker", short)


def _offline(toys: Toys) -> tuple[EngineConfig, Any]:
    config = EngineConfig(
        application_id=toys.prefix,
        bootstrap_servers=toys.bootstrap,
        data_dir=Path(),
        session_timeout_seconds=SESSION_SECONDS,
    )
    return config, Toy(toys.prefix).spec


def _ids(toys: Toys) -> dict[str, str]:
    config, spec = _offline(toys)

    def complete() -> dict[str, str]:
        view = toys.admin(lambda client: acceptance.look(client, config, spec))
        whole = not any(topic.error for topic in view.topics.values())
        return {name: topic.id for name, topic in view.topics.items()} if whole else {}

    found: dict[str, str] = wait_until(complete, 10, "every topic is there")
    return found


def _accept(
    toys: Toys,
    wanted: Mapping[str, str],
    reading: ReadFrom = ReadFrom.BEGINNING,
    write: bool = True,
) -> list[AcceptedChange]:
    config, spec = _offline(toys)

    async def act(client: Any) -> list[AcceptedChange]:
        how = acceptance.accept if write else acceptance.plan
        return await how(client, config, spec, wanted, reading)

    changes: list[AcceptedChange] = toys.admin(act)
    return changes


def _worked(toys: Toys, count: int = 40) -> None:
    toys.add(count)
    worker = toys.worker().ready()
    toys.assert_exact()
    assert worker.stop() == 0


def _anew(toys: Toys, topic: str = "adds") -> str:
    name = f"{toys.prefix}.{topic}"
    toys.make_anew(name)
    # A producer that was there before may know the topic that is gone.
    toys.compress("none")
    toys.sent = 0
    return name


def test_given_a_topic_made_anew_when_it_is_accepted_then_it_is_read_from_its_beginning_once(
    toys: Toys,
) -> None:
    _worked(toys)
    name = _anew(toys)
    for number in range(4):
        toys.produce("adds", f"anew{number}", "1", number)
    toys.flush()
    topic_id = _ids(toys)[name]
    toys.worker("two").refuses(f"byline cluster accept {name}={topic_id}")
    with pytest.raises(StopWorker, match="the topic id of"):
        _accept(toys, {name: "another"})
    planned = _accept(toys, {name: topic_id}, write=False)
    assert [(it.next_before, it.next_after, it.unread) for it in planned] == [(10, 0, 1)] * 4
    toys.worker("two").refuses("was deleted and made anew")
    assert _accept(toys, {name: topic_id}) == planned
    assert _accept(toys, {name: topic_id}) == []
    for again in ("three", "three"):
        worker = toys.worker(again).ready()
        wait_until(
            lambda: len([1 for r in toys.outputs(b"add").values() for _ in r]) == 44, 20, "4 more"
        )
        with pytest.raises(StopWorker, match="Stop them first"):
            _accept(toys, {name: topic_id})
        worker.stop()
    anew = {key for rows in toys.outputs(b"add").values() for key, _ in rows if "anew" in key}
    assert anew == {"anew0", "anew1", "anew2", "anew3"}
    assert toys.worker("four").ready().stop() == 0


def test_given_a_command_that_is_fenced_halfway_then_it_says_where_and_a_repeat_does_the_rest(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _worked(toys)
    name = _anew(toys)
    wanted = {name: _ids(toys)[name]}
    write = acceptance.put_checkpoint

    async def fenced_at_two(producer: Any, config: Any, spec: Any, number: int, it: Any) -> None:
        if number == 2:
            async with fencing.held(config, [2]):
                pass
        await write(producer, config, spec, number, it)

    halfway = r"for 2 of 4 partitions, not for 2, 3\. .*a worker, or"
    with monkeypatch.context() as patched:
        patched.setattr(acceptance, "put_checkpoint", fenced_at_two)
        with pytest.raises(StopWorker, match=halfway):
            _accept(toys, wanted)
    assert [it.partition for it in _accept(toys, wanted)] == [2, 3]
    toys.worker("two").ready().stop()


def test_given_a_worker_that_nobody_sees_then_it_is_fenced_before_its_checkpoint_is_read(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves the new topic meanwhile, which would otherwise be read from its beginning again."""
    _worked(toys)
    name = _anew(toys)
    worker = toys.worker("two", favourable_only=True).ready()

    async def sees_nobody(*_: Any) -> None:
        """As a coordinator that does not know of it, or one that joins a moment later."""

    plan, planned = acceptance.plan, []

    async def while_it_works(*arguments: Any) -> Any:
        planned.append(await plan(*arguments))
        if len(planned) == 1:
            for number in range(4):
                toys.produce("adds", f"anew{number}", "1", number)
            toys.flush()
            await asyncio.to_thread(
                wait_until, lambda: sum(map(len, toys.outputs(b"add").values())) == 44, 20, "4 more"
            )
        return planned[-1]

    wanted = {name: _ids(toys)[name]}
    with monkeypatch.context() as patched:
        patched.setattr(acceptance, "refuse_members", sees_nobody)
        patched.setattr(acceptance, "plan", while_it_works)
        changes = _accept(toys, wanted)
    assert {it.next_after for it in planned[0]} == {0}
    assert {it.next_after for it in changes} == {1}
    toys.add(4)
    assert worker.exit_code() == 70
    toys.worker("three").ready()
    wait_until(lambda: sum(map(len, toys.outputs(b"add").values())) == 48, 20, "the rest")
    time.sleep(1)
    assert sum(map(len, toys.outputs(b"add").values())) == 48


def test_given_a_cluster_moved_when_all_is_accepted_as_it_was_then_nothing_is_read_twice(
    make_toys: Callable[..., Toys], tmp_path: Path
) -> None:
    toys = make_toys(2).make_topics()
    _worked(toys, 60)
    toys.settle()
    with KafkaCluster(tmp_path / "elsewhere", brief=True) as other:
        moved = Toys(other.bootstrap, toys.prefix, tmp_path / "moved", 2)
        moved.folder.mkdir()
        moved.make_topics()
        for topic in toys.topics():
            for partition, messages in toys.read(topic).items():
                for message in messages:
                    moved._producer.produce(
                        topic,
                        message.value(),
                        message.key(),
                        partition=partition,
                        headers=message.headers(),
                    )
        moved.flush()
        moved.sent = toys.sent
        moved.worker().refuses("byline cluster accept")
        changes = _accept(moved, _ids(moved), ReadFrom.ON)
        assert {it.topic for it in changes} == set(moved.topics())
        assert {it.unread for it in changes} == {0}
        moved.add(60)
        worker = moved.worker("two").ready()
        moved.assert_exact()
        worker.stop()
        moved.close()


def test_given_a_topic_of_other_records_then_it_is_not_accepted_as_the_same(toys: Toys) -> None:
    _worked(toys)
    name = _anew(toys)
    with pytest.raises(StopWorker, match="does not hold the same records at the same offsets"):
        _accept(toys, {name: _ids(toys)[name]}, ReadFrom.ON)


def test_given_inputs_lost_then_favourable_only_serves_what_is_safe_and_accepts_nothing(
    toys: Toys,
) -> None:
    _worked(toys)
    name = _anew(toys)
    toys.mark("adverse", 200)
    toys.mark("fav", 200)
    for number in range(4):
        toys.produce("adds", f"anew{number}", "1", number)
    toys.flush()
    for again in ("two", "three"):
        worker = toys.worker(again, favourable_only=True).ready()
        assert worker.status["changed"] == "started with --favourable-only"
        wait_until(lambda: "fav" in toys.fired(), 20, "the favourable timer")
        time.sleep(3)
        assert toys.fired() == {"fav"}
        rows = [row for own in toys.outputs(b"add").values() for row in own]
        assert len(rows) == 44
        worker.stop()
    toys.worker("four").refuses(f"{name} was deleted and made anew")
    planned = _accept(toys, {name: _ids(toys)[name]})
    assert {it.next_after for it in planned} == {1}
    toys.worker("four").ready()
    wait_until(lambda: toys.fired() == {"fav", "adverse"}, 20, "the adverse timer")
    assert len([1 for own in toys.outputs(b"add").values() for _ in own]) == 44


@pytest.mark.parametrize("way", ["accept", "favourable only"])
def test_given_inputs_deleted_unread_then_there_is_a_way_on(toys: Toys, way: str) -> None:
    _worked(toys, 100)
    toys.add(100)
    name = f"{toys.prefix}.adds"
    gone = {TopicPartition(name, 1): RecordsToDelete(before_offset=40)}
    toys.admin(lambda client: client.delete_records(gone, 10_000))
    topic_id = _ids(toys)[name]
    toys.worker().refuses("records were deleted unread", f"byline cluster accept {name}={topic_id}")
    if way == "accept":
        changes = _accept(toys, {name: topic_id})
        assert [(it.partition, it.next_before, it.next_after) for it in changes] == [(1, 25, 40)]
    worker = toys.worker("two", favourable_only=way != "accept").ready()
    wait_until(lambda: sum(map(len, toys.seen().values())) == 185, 20, "all but what is lost")
    worker.stop()


@pytest.mark.parametrize("which", ["all", "one input", "the broadcast"])
def test_given_partitions_added_when_the_old_ones_are_named_then_work_goes_on_with_them(
    toys: Toys, which: str
) -> None:
    _worked(toys)
    grown = {
        "all": toys.keyed(),
        "one input": [f"{toys.prefix}.adds"],
        "the broadcast": [f"{toys.prefix}.factor"],
    }[which]
    toys.grow(6, *grown)
    toys.worker().refuses("BYLINE_PARTITIONS=4")
    again = "now 5 are in use" if which == "all" else "BYLINE_PARTITIONS is 5"
    toys.worker("two", partitions=5).refuses(again)
    worker = toys.worker("three", partitions=4).ready(parts=4)
    toys.mark("adverse", 200)
    wait_until(lambda: toys.fired() == {"adverse"}, 20, "the adverse timer")
    toys.add(40)
    toys.assert_exact()
    assert worker.status["changed"] is None


def test_given_a_record_in_a_partition_that_is_not_in_use_then_what_is_adverse_waits(
    toys: Toys,
) -> None:
    _worked(toys)
    toys.grow(6, *toys.keyed())
    worker = toys.worker("two", partitions=4).ready(parts=4)
    # A producer that was there before does not know the new ones.
    toys.compress("none")
    toys.produce("adds", "k", "1", 5)
    # Due while the record lies there: no timer may act before somebody has looked.
    toys.mark("adverse", 200)
    toys.mark("fav", 200)
    wait_until(lambda: "fav" in toys.fired(), 20, "the favourable timer")
    said = wait_until(lambda: worker.status["changed"], 10, "it is seen")
    assert f"{toys.prefix}.adds[5] 1" in said
    assert "byline cluster reroute" in said
    time.sleep(3)
    assert toys.fired() == {"fav"}
    worker.stop()
    worker = toys.worker("three", partitions=4).ready(parts=4)
    assert f"{toys.prefix}.adds[5] 1" in worker.status["changed"]
    time.sleep(2)
    assert toys.fired() == {"fav"}


def test_given_a_changelog_made_anew_then_the_disk_is_left_and_used_no_more(toys: Toys) -> None:
    _worked(toys)
    changelog = f"{toys.prefix}-counts-changelog"
    toys.make_anew(changelog, **{"cleanup.policy": "compact"})
    worker = toys.worker()
    worker.refuses(f"{changelog} was deleted and made anew", "byline cluster rebuild")
    assert (toys.folder / "one" / "state" / "partition-0").is_dir()
    with pytest.raises(StopWorker, match="there is nothing to accept"):
        _accept(toys, {changelog: _ids(toys)[changelog]}, ReadFrom.ON)


ASLEEP = """
import sys, time
from confluent_kafka import Consumer
bootstrap, group, name, topic = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": bootstrap, "group.id": group, "group.instance.id": name,
    "session.timeout.ms": 6000, "max.poll.interval.ms": 12000, "heartbeat.interval.ms": 500,
})
consumer.subscribe([topic])
until = time.monotonic() + 15
while name == "first" and not consumer.assignment() and time.monotonic() < until:
    consumer.poll(0.2)
print("here", flush=True)
if name == "second":
    consumer.poll(0.2)
time.sleep(60)
"""
"""A member that says that it is there, and then takes part in nothing."""


def test_who_ended_while_the_group_shared_out_its_partitions_is_waited_for(toys: Toys) -> None:
    """Then a session begins only when the group has waited in vain for the others."""
    _, spec = _offline(toys)
    members: list[subprocess.Popen[str]] = []

    def state() -> str:
        return toys.admin(lambda client: fencing.members_of(client, toys.prefix))[0]

    try:
        for name in ("first", "second"):
            command = [sys.executable, "-c", ASLEEP, toys.bootstrap, toys.prefix, name]
            members.append(subprocess.Popen([*command, spec.topics[0]], stdout=subprocess.PIPE))
            assert members[-1].stdout is not None
            assert members[-1].stdout.readline()
        wait_until(lambda: state() == "PreparingRebalance", 20, "the second one joins")
    finally:
        for member in members:
            member.kill()
            member.wait()
    began = time.monotonic()
    toys.admin(lambda client: fencing.refuse_members(client, toys.prefix, SESSION_SECONDS))
    assert time.monotonic() - began > SESSION_SECONDS + fencing.MARGIN_SECONDS
