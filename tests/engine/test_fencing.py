"""Before a command changes the state: an error is never taken for "no worker runs"."""

from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    InvalidGroupIdError,
    ProducerFenced,
)

from streams.engine import fencing
from streams.engine.sender import NoAnswer
from streams.kafka.requests.groups import DescribeGroupsResponse4
from streams.stop_worker import StopWorker

MEMBER = ("one-1", "one", "app", "/127.0.0.1", b"", b"")
LOADING, NOT_AVAILABLE, NOT_COORDINATOR = 14, 15, 16


class GroupCoordinator:
    """Answers with these error codes, one after the other, then with a member or without one.

    `others`: errors of the search for the coordinator, before these.
    """

    def __init__(self, *codes: int, members: bool = False, others: int = 0) -> None:
        self._codes, self._members, self._others = list(codes), members, others
        self.asked = 0

    async def find_coordinator(self, group: str) -> int:
        if self._others:
            self._others -= 1
            raise GroupCoordinatorNotAvailableError(group)
        return 1

    async def _send_request_to_node(self, _: int, __: Any) -> DescribeGroupsResponse4:
        self.asked += 1
        code = self._codes.pop(0) if self._codes else 0
        members = [MEMBER] if self._members and not code else []
        state = "Stable" if members else "Empty"
        return DescribeGroupsResponse4(0, [(code, "app", state, "", "", members, 0)])


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fencing, "COORDINATOR_SECONDS", 0)
    monkeypatch.setattr(fencing, "MARGIN_SECONDS", 0)


async def refuse(coordinator: GroupCoordinator) -> None:
    await fencing.refuse_members(coordinator, "app", 0)  # type: ignore[arg-type]


async def test_nobody_runs() -> None:
    await refuse(GroupCoordinator())


@pytest.mark.parametrize("members", [True, False])
async def test_a_coordinator_that_moves_is_asked_again(members: bool) -> None:
    coordinator = GroupCoordinator(
        LOADING, NOT_AVAILABLE, NOT_COORDINATOR, members=members, others=2
    )
    if members:
        with pytest.raises(StopWorker, match=r"workers of app run: one\. Stop them first"):
            await refuse(coordinator)
    else:
        await refuse(coordinator)
    assert coordinator.asked >= 4


async def test_a_coordinator_that_goes_on_moving_is_not_asked_for_ever() -> None:
    coordinator = GroupCoordinator(*[NOT_COORDINATOR] * 99)
    with pytest.raises(StopWorker, match=r"is not known.*NotCoordinatorFor.*Nothing was"):
        await refuse(coordinator)
    assert coordinator.asked == fencing.COORDINATOR_TRIES


@pytest.mark.parametrize(
    ("code", "error"), [(30, GroupAuthorizationFailedError), (24, InvalidGroupIdError)]
)
async def test_any_other_error_is_an_error(code: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await refuse(GroupCoordinator(code))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ProducerFenced(), "not done: a worker, or another command, has started meanwhile"),
        (
            NoAnswer("EndTxn got no answer"),
            r"not done: the transaction did not end .*NoAnswer: End",
        ),
        (TimeoutError(), "not done: the transaction did not end as it should"),
    ],
)
def test_what_became_of_a_write_is_told(error: Exception, says: str) -> None:
    with pytest.raises(StopWorker, match=says) as told, fencing.told("not done"):
        raise error
    assert told.value.exit_code == 2
