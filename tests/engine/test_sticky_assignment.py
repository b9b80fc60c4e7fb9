"""A static member gets the assignment that the broker keeps for it, also one of other topics."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from streams.engine.membership import StaticMember
from streams.kafka.requests.groups import LeaveRequest


async def test_given_an_assignment_of_another_prefix_s_topics_then_the_member_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came back with each start for as long as the session lasted, and each start renewed it."""
    sent: list[Any] = []

    async def refused(*_: Any) -> None:
        raise AssertionError("Received an assignment for unsubscribed topic")

    async def kept(request: Any) -> None:
        sent.append(request)

    monkeypatch.setattr(GroupCoordinator, "_on_join_complete", refused)
    member = StaticMember.__new__(StaticMember)
    member.data_dir, member._group_instance_id = tmp_path, "w0"
    member.group_id, member.generation, member.member_id = "a", 3, "w0-1"
    monkeypatch.setattr(member, "_send_req", kept)
    monkeypatch.setattr(member, "reset_generation", lambda: None)
    with pytest.raises(AssertionError, match="unsubscribed topic"):
        await member._on_join_complete(3, "w0-1", "faust", b"")
    assert [type(request) for request in sent] == [LeaveRequest]
