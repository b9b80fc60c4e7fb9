"""`byline status`: an error about the workers' group does not say that no worker runs."""

from typing import NamedTuple

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from streams.operate import live
from streams.operate.errors import KafkaAbsentError


class GroupAnswer(NamedTuple):
    """One coordinator's answer, as aiokafka gives it back."""

    groups: list[tuple[int, str, str, str, str, list[object]]]


class GroupAdmin:
    """Answers with these error codes, one after the other, then without one."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)

    async def describe_consumer_groups(self, groups: list[str]) -> list[GroupAnswer]:
        code = self._codes.pop(0) if self._codes else 0
        return [GroupAnswer([(code, groups[0], "" if code else "Empty", "", "", [])])]


async def test_a_coordinator_that_moves_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "COORDINATOR_SECONDS", 0)
    (answer,) = await live._described(GroupAdmin(14, 15, 16), "app")  # type: ignore[arg-type]
    assert answer.groups[0][2] == "Empty"
    with pytest.raises(KafkaAbsentError, match="whether workers of app run"):
        await live._described(GroupAdmin(*[16] * 99), "app")  # type: ignore[arg-type]
    with pytest.raises(GroupAuthorizationFailedError):
        await live._described(GroupAdmin(30), "app")  # type: ignore[arg-type]
