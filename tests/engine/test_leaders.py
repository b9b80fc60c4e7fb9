"""Leaders are asked for offsets each by itself: what one does not tell, the others still do."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError, RequestTimedOutError

from streams.kafka.requests import offsets as asked
from streams.kafka.requests.offsets import LATEST, OffsetAnswer, answers, offsets

A, B, C = (TopicPartition("t", number) for number in range(3))
NOT_LEADER = NotLeaderForPartitionError.errno
SILENT = object()


class Brokers:
    """A client of brokers. `told`: by node an error or SILENT; by partition an offset or -code."""

    def __init__(self, leaders: dict[TopicPartition, int], told: dict[Any, Any]) -> None:
        self.told = told
        self.cluster = SimpleNamespace(leader_for_partition=leaders.get)
        self.updates = 0

    def force_metadata_update(self) -> None:
        self.updates += 1

    async def add_topic(self, topic: str) -> None: ...

    async def send(self, node: int, request: Any) -> Any:
        trouble = self.told.get(node)
        if trouble is SILENT:
            await asyncio.Event().wait()
        if trouble is not None:
            raise trouble
        found: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
        for topic, partitions in request._topics:
            for number, which in partitions:
                assert which == LATEST
                end = self.told[TopicPartition(topic, number)]
                found[topic].append((number, max(0, -end), -1, max(-1, end)))
        return SimpleNamespace(topics=list(found.items()))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ANSWER_SECONDS", 0.2)


async def test_who_answers_is_heard_before_who_is_silent() -> None:
    brokers = Brokers({A: 1, B: 2}, {A: 7, 2: SILENT})
    told = [answer async for answer in answers(brokers, [A, B], LATEST)]
    silent = {B: "broker 2 does not answer: TimeoutError"}
    assert told == [OffsetAnswer({A: 7}, {}), OffsetAnswer({}, silent)]
    assert brokers.updates == 1


@pytest.mark.parametrize(
    ("leaders", "told", "why"),
    [
        ({A: 1, B: -1}, {}, "no leader is known"),
        ({A: 1}, {}, "no leader is known"),
        ({A: 1, B: 1}, {B: -NOT_LEADER}, "NotLeaderForPartitionError"),
        (
            {A: 1, B: 2},
            {2: RequestTimedOutError()},
            "broker 2 does not answer: RequestTimedOutError",
        ),
        ({A: 1, B: 2}, {2: OSError()}, "broker 2 does not answer: OSError"),
    ],
)
async def test_a_bad_partition_is_named_and_the_others_have_their_offsets(
    leaders: dict[TopicPartition, int], told: dict[Any, Any], why: str
) -> None:
    brokers = Brokers({**leaders, C: 1}, {A: 7, C: 0, **told})
    assert await offsets(brokers, [A, B, C], LATEST) == OffsetAnswer({A: 7, C: 0}, {B: why})
    assert brokers.updates == 1


async def test_nothing_asked_is_nothing_told() -> None:
    assert await offsets(Brokers({}, {}), [], LATEST) == OffsetAnswer({}, {})
