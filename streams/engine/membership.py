"""Static group membership that can leave the group, and that does not fence another live worker.

aiokafka never sends a leave request for a static member. So the partitions of a removed worker wait
for its session to end, and a wrong assignment comes back after a restart. And if two workers have
one instance id, the broker replaces the older member by the newer one; the two would do that to
each other without end. The classes here fix both.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IncompatibleBrokerVersion,
    KafkaError,
    NoError,
    NotCoordinatorForGroupError,
    for_code,
)

from streams.engine.context import GroupMember
from streams.kafka.consumer import TolerantConsumer
from streams.kafka.requests.groups import LeaveRequest, MembersRequest
from streams.log_events import event

# How long after a coordinator's answer that says nothing it is asked again.
AGAIN_SECONDS = 0.5
MOVES = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""A coordinator's answers that say nothing about the group."""

logger = logging.getLogger(__name__)


class OtherMember(NamedTuple):
    """A member of the group. `host`: from where it is connected."""

    member_id: str
    host: str


class StaticMember(GroupCoordinator):  # type: ignore[misc]
    """aiokafka's group coordinator, extended for static members."""

    member: GroupMember
    data_dir: Path
    left_assignment = False
    """The broker gave an assignment of topics that this member does not read; it left for that."""

    async def _maybe_leave_group(self) -> None:
        """Sends a leave request, so that others take over at once."""
        if self._group_instance_id is None:
            await super()._maybe_leave_group()
            return
        if self.generation > 0:
            request = LeaveRequest(self.group_id, self.member_id, self._group_instance_id)
            try:
                async with asyncio.timeout(5.0):
                    await self._send_req(request)
            except (KafkaError, NotImplementedError, TimeoutError) as error:
                logger.info(
                    "the group was not told that we leave: %r", error, extra=event("leave_not_told")
                )
        self.reset_generation()

    async def _do_rejoin_group(self, subscription: Any) -> Any:
        if self._group_instance_id is not None and not self.member_id:
            await self._wait_for_the_other()
            if self._closing.done():
                return False
        try:
            return await super()._do_rejoin_group(subscription)
        except AssertionError as error:
            # The broker keeps the assignment of a static member for its session, and gives it again
            # to a start with another prefix. A new member of the group gets one of its own topics.
            if self.left_assignment:
                raise
            self.left_assignment = True
            logger.warning(
                "the group gives the assignment of an earlier start with other topics (%s):"
                " leaving it and joining anew",
                error,
                extra=event("assignment_left"),
            )
            await self._maybe_leave_group()
            return False

    async def _on_join_complete(self, generation: int, member_id: str, *rest: Any) -> None:
        # Stored before the assignment is used: after a crash the restart must know its own member.
        if self._group_instance_id is not None:
            self._note(member_id)
        await super()._on_join_complete(generation, member_id, *rest)
        self.left_assignment = False

    async def _wait_for_the_other(self) -> None:
        """Waits while another worker with the same instance id is in the group.

        A member whose id is stored in this worker's folder is this worker before a restart. A dead
        member disappears after its session time.
        """
        told = False
        while not self._closing.done():
            other = await self._other_member()
            if other is None or other.member_id == self._noted():
                break
            if not told:
                logger.warning(
                    "INSTANCE_ID %s is in group %s under another start (%s, on %s): waiting until "
                    "that has been gone for a session",
                    self._group_instance_id,
                    self.group_id,
                    other.member_id,
                    other.host,
                    extra=event("instance_id_taken"),
                )
            elif not self.member.ousted:
                self.member.ousted = True
                logger.error(
                    "another worker with INSTANCE_ID %s lives in group %s (%s, on %s): this one "
                    "stays out of it. Give each worker an INSTANCE_ID of its own, or none",
                    self._group_instance_id,
                    self.group_id,
                    other.member_id,
                    other.host,
                    extra=event("instance_id_twice"),
                )
            seconds = self._session_timeout_ms / 1000 if not told else 2.0
            told = True
            await asyncio.wait([self._closing], timeout=seconds)
        if self.member.ousted:
            logger.warning(
                "the other worker with our INSTANCE_ID is gone: joining",
                extra=event("instance_id_free"),
            )
        self.member.ousted = False

    async def _other_member(self) -> OtherMember | None:
        """Returns the group's member with this instance id; None if there is none.

        It asks until the group's coordinator knows: a join without that would throw the other
        worker out.

        Raises:
            KafkaError: the coordinator refuses to say.
        """
        while not self._closing.done():
            try:
                await self.ensure_coordinator_known()
                answer = await self._send_req(MembersRequest(self.group_id))
            except (IncompatibleBrokerVersion, NotImplementedError):
                return None  # Such a broker has no way to say.
            except KafkaError:
                await self._pause()
                continue
            ((code, _group, _state, _type, _protocol, members, _rights),) = answer.groups
            error = for_code(code)
            if error in MOVES:
                # The group is being loaded, or another broker coordinates it.
                self.coordinator_dead()
                await self._pause()
            elif error is not NoError:
                raise error(self.group_id)
            else:
                own = self._group_instance_id
                found = (OtherMember(it[0], it[3]) for it in members if it[1] == own)
                return next(found, None)
        return None

    async def _pause(self) -> None:
        await asyncio.wait([self._closing], timeout=AGAIN_SECONDS)

    @property
    def _note_path(self) -> Path:
        return self.data_dir / "member-id"

    def _noted(self) -> str | None:
        return self._note_path.read_text() if self._note_path.exists() else None

    def _note(self, member_id: str) -> None:
        half = self._note_path.with_suffix(".new")
        half.write_text(member_id)
        half.replace(self._note_path)


class MemberConsumer(TolerantConsumer):
    """The consumer of the worker, which is a member of its group."""

    member: GroupMember
    data_dir: Path

    async def start(self) -> None:
        """Connects to Kafka. The consumer joins the group when it subscribes."""
        await super().start()
        # aiokafka's coordinator class is hard-coded; it does nothing before the subscription.
        self._coordinator.__class__ = StaticMember
        self._coordinator.member = self.member
        self._coordinator.data_dir = self.data_dir
