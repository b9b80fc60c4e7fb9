"""A static member gets the assignment that the broker keeps for it, also one of other topics."""

import asyncio
import logging
from pathlib import Path

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from streams.engine.context import GroupMember
from streams.engine.membership import MemberConsumer, StaticMember
from tests.engine.harness import Toys

pytestmark = pytest.mark.kafka


async def joined(bootstrap: str, group: str, topic: str, folder: Path) -> MemberConsumer:
    """A member of the group that has its partitions of the topic."""
    consumer = MemberConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id="w0",
        session_timeout_ms=20_000,
        heartbeat_interval_ms=1_000,
        enable_auto_commit=False,
    )
    consumer.member, consumer.data_dir = GroupMember(), folder
    await consumer.start()
    consumer.subscribe([topic])
    async with asyncio.timeout(30):
        while not consumer.assignment():
            await asyncio.sleep(0.1)
    return consumer


async def test_given_an_assignment_of_another_prefix_s_topics_then_the_member_joins_anew(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It came back with each start for as long as the session lasted, and each start renewed it."""
    first, second = toys.keyed()[:2]
    group = f"{toys.prefix}-sticky"
    killed = await joined(toys.bootstrap, group, first, tmp_path)
    # Whoever is killed does not leave.
    with monkeypatch.context() as patched:
        patched.setattr(StaticMember, "_maybe_leave_group", GroupCoordinator._maybe_leave_group)
        await killed.stop()
    with caplog.at_level(logging.WARNING, logger="streams.engine.membership"):
        again = await joined(toys.bootstrap, group, second, tmp_path)
    try:
        assert {tp.topic for tp in again.assignment()} == {second}
        assert "leaving it and joining anew" in caplog.text
    finally:
        await again.stop()


async def test_given_an_assignment_that_stays_wrong_then_the_member_does_not_try_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise AssertionError("Received an assignment for unsubscribed topic")

    monkeypatch.setattr(GroupCoordinator, "_do_rejoin_group", refused)
    member = StaticMember.__new__(StaticMember)
    member._group_instance_id, member.member_id, member.generation = "w0", "w0-1", -1
    monkeypatch.setattr(member, "reset_generation", lambda: None)
    assert await member._do_rejoin_group(None) is False
    with pytest.raises(AssertionError, match="unsubscribed topic"):
        await member._do_rejoin_group(None)
