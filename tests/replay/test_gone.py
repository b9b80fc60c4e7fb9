"""What Kafka has deleted or compacted is missing: not identical, not different, not nothing."""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

from streams import rebuild
from streams.kafka.stretches import Stretch
from streams.replay.partition import replayed
from streams.replay.recorded import Cursor, transactions
from streams.replay.records import RecordsGoneError, RecordsInMemory
from streams.settings import SettingsWithoutPolicies, load
from tests.chaos.replaying import ChaosReplay
from tests.replay.test_simulated import _changed, _history

PLACE = TopicPartition("byline.follower-counts", 0)
LIMIT = 1_000
"""Compaction may have removed what is older (ms)."""


class _Kept(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None = b"k"
    value: bytes | None = b"v"


class _Broker:
    """A partition of which these stretches are left, as a client takes them."""

    def __init__(self, *stretches: tuple[int, int, list[_Kept]]) -> None:
        self._left = deque(
            Stretch(PLACE.topic, 0, start, end, list(records), end, 0, ())
            for start, end, records in stretches
        )

    async def take(self, _: float) -> list[Stretch]:
        return [self._left.popleft()]

    def seek(self, *_: Any) -> None: ...


def _lost(*stretches: tuple[int, int, list[_Kept]]) -> str | None:
    async def read() -> str | None:
        end = stretches[-1][1]
        cursor = Cursor(_Broker(*stretches), PLACE, stretches[0][0], end, LIMIT)  # type: ignore[arg-type]
        await cursor.upto(end, 100)
        return cursor.lost

    return asyncio.run(read())


def test_a_hole_between_an_old_and_a_young_record_may_be_of_compaction() -> None:
    whole = [_Kept(0, 10), _Kept(1, 5_000)]
    assert _lost((0, 2, whole)) is None
    assert _lost((0, 4, [_Kept(0, 10), _Kept(3, 5_000)])) == (
        "byline.follower-counts[0]: offsets 1 to 2"
    )
    assert _lost((0, 4, [_Kept(3, 5_000)])) == "byline.follower-counts[0]: offsets 0 to 2"


def test_a_hole_at_the_end_of_a_batch_and_a_batch_without_records_are_holes() -> None:
    end = "byline.follower-counts[0]: offsets 1 to 2"
    assert _lost((0, 3, [_Kept(0, 10)]), (3, 4, [_Kept(3, 5_000)])) == end
    assert _lost((0, 1, [_Kept(0, 10)]), (1, 3, []), (3, 4, [_Kept(3, 5_000)])) == end


def test_a_hole_behind_a_young_record_is_none_of_compaction() -> None:
    assert _lost((0, 4, [_Kept(0, 2_000), _Kept(3, 5_000)])) is None
    assert _lost((0, 2, [_Kept(0, 2_000)]), (2, 4, [_Kept(3, 5_000)])) is None


def _emptied() -> Cursor:
    return Cursor(_Broker(), TopicPartition("byline.decisions", 0), 500, 500)  # type: ignore[arg-type]


def test_a_log_that_was_deleted_whole_is_missing_and_not_identical() -> None:
    replay = ChaosReplay(_history(31), 0)
    outputs: dict[str, RecordsInMemory] = {}
    replay._written._sources = outputs
    found = asyncio.run(replayed(0, replay._following, transactions(_emptied()), replay._written))
    assert not found.identical
    assert found.missing == (
        "byline.decisions[0] is empty, and begins at offset 500: what was before is not there any"
        " more"
    )
    fresh = asyncio.run(
        replayed(0, replay._following, transactions(RecordsInMemory(())), replay._written)
    )
    assert fresh.identical, "a partition without records"


def test_a_state_is_not_built_from_nothing_where_the_log_was_deleted_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Clients:
        def __init__(self, *_: Any) -> None: ...

        async def at(self, *_: Any) -> Cursor:
            return _emptied()

    monkeypatch.setattr(rebuild, "Clients", Clients)
    source = asyncio.run(rebuild._source(load(kind=SettingsWithoutPolicies), [], 0, 1, {}))
    assert (source.kind, source.state) == ("lost", None)
    assert "begins at offset 500" in source.why


def test_an_output_whose_beginning_was_deleted_is_missing_and_not_different(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut = _changed("invitations", lambda own: own.__delitem__(slice(0, 3))).found
    assert cut.difference is not None, "nothing says that it was deleted"
    monkeypatch.setattr(RecordsInMemory, "begin", 3)
    cut = _changed("invitations", lambda own: own.__delitem__(slice(0, 3))).found
    assert cut.difference is None
    assert (cut.missing or "").endswith("invitations[0]: offsets 0 to 2 are not there any more")
    assert ChaosReplay(_history(31), 0).run() == [], "what comes out alike is alike"


def test_a_decision_under_another_key_is_found() -> None:
    def swap(own: list[Any]) -> None:
        place = next(it for it, one in enumerate(own) if one.key.startswith(b"weibo:"))
        own[place] = replace(own[place], key=b"weibo:other")

    found = _changed("decisions", swap).found.difference
    assert found is not None
    assert "its key is weibo:other, and not weibo:" in found.why
    assert found.offset is not None


def test_an_emptied_log_is_told_by_its_own_error() -> None:
    async def read() -> None:
        async for _ in transactions(_emptied()):
            raise AssertionError

    with pytest.raises(RecordsGoneError):
        asyncio.run(read())


class _Marking(_Broker):
    """A partition to which a worker's transaction wrote, whose marker comes only when asked for."""

    asked = 0

    async def high_watermarks(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 2)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        return dict.fromkeys(places, 2 if self.asked > 2 else 0)


def test_an_output_whose_marker_is_not_there_yet_is_waited_for_and_not_missing() -> None:
    async def read() -> Any:
        broker = _Marking((0, 2, [_Kept(0, 5_000)]))
        return await Cursor(broker, PLACE, 0, 0).later()  # type: ignore[arg-type]

    found = asyncio.run(read())
    assert found is not None
    assert found.offset == 0
