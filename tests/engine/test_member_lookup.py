"""Who has our INSTANCE_ID in the group: asked until the coordinator knows, without a broker."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupLoadInProgressError,
    KafkaError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    RequestTimedOutError,
)

from streams.engine import membership
from streams.engine.membership import OtherMember, StaticMember

OTHER = ("member-1", "one", "client", "/10.0.0.7", b"", b"")


def _answer(code: int, *members: Any) -> SimpleNamespace:
    return SimpleNamespace(groups=[(code, "app", "Stable", "consumer", "", list(members), 0)])


class Coordinated(StaticMember):
    """A member whose coordinator answers what it is told."""

    def __init__(self, *answers: Any) -> None:
        self.group_id, self._group_instance_id = "app", "one"
        self._closing = asyncio.get_running_loop().create_future()
        self.answers: Iterator[Any] = iter(answers)
        self.dead = 0

    async def ensure_coordinator_known(self) -> None: ...

    def coordinator_dead(self) -> None:
        self.dead += 1

    async def _send_req(self, request: Any) -> Any:
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "AGAIN_SECONDS", 0.0)


@pytest.mark.parametrize(
    "nothing",
    [
        NodeNotReadyError(),
        RequestTimedOutError(),
        _answer(NotCoordinatorForGroupError.errno),
        _answer(GroupLoadInProgressError.errno),
    ],
)
async def test_an_answer_that_says_nothing_is_not_taken_for_a_group_without_the_other(
    nothing: Any,
) -> None:
    member = Coordinated(nothing, nothing, _answer(0, OTHER))
    assert await member._other_member() == OtherMember("member-1", "/10.0.0.7")


async def test_a_group_without_the_other_has_none() -> None:
    member = Coordinated(_answer(0, ("member-2", "two", "client", "/10.0.0.8", b"", b"")))
    assert await member._other_member() is None


async def test_a_refusal_is_raised() -> None:
    member = Coordinated(_answer(GroupAuthorizationFailedError.errno))
    with pytest.raises(GroupAuthorizationFailedError):
        await member._other_member()


async def test_who_closes_asks_no_longer() -> None:
    member = Coordinated(KafkaError())
    member._closing.set_result(None)
    assert await member._other_member() is None
