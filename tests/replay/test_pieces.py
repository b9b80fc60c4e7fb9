"""A long stretch without effect is one step of the log, and replay reads it in pieces."""

import asyncio
import json
from typing import NamedTuple

import pytest

from schemas.inputs import INPUT_MODELS
from schemas.topics import DECISIONS
from streams.core.model.ports import InputRecord
from streams.core.partition import Partition, PartitionEnvironment
from streams.policies import load_policies
from streams.replay import following
from streams.replay.following import TRANSACTION, Replay
from streams.replay.records import RecordsInMemory
from streams.replay.tables import ReplayTables
from tests.chaos.grounds import POLICIES
from tests.core.given import GivenRecord, rfc3339

AT = 1_780_000_000_000
READINGS = 300


class _Logged(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    timestamp_type: int = 0


class _Counting(RecordsInMemory):
    """Notes the most records that were taken at once."""

    most = 0

    async def upto(self, after: int, most: int) -> list[InputRecord]:
        taken = await super().upto(after, most)
        self.most = max(self.most, len(taken))
        return taken


def _environment() -> PartitionEnvironment:
    return PartitionEnvironment(
        policies=load_policies(POLICIES, require_approvals=False),
        partition_count=1,
        partition_of=lambda _: 0,
        require_approvals=False,
        full_name=lambda name: "byline." + name,
    )


def _reading(number: int, account: str, followers: int) -> GivenRecord:
    value = {"platform": "weibo", "account_id": account, "followers": followers}
    raw = json.dumps({**value, "observed_at": rfc3339(AT + number)}).encode()
    return GivenRecord(number, AT + number, f"weibo:{account}".encode(), raw)


def test_a_joined_step_is_replayed_in_pieces_and_the_log_stays_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment, tables = _environment(), ReplayTables()
    core = Partition(environment, 0, tables, AT)
    core.take_up(tables, AT)
    readings = [_reading(number, f"low{number}", 5) for number in range(READINGS)]
    readings.append(_reading(READINGS, "high", 10_000_000))
    for record in readings:
        core.step(tables, record.timestamp, [("follower-counts", [record])])
    reads = {"byline.follower-counts": READINGS + 1}
    core.before_commit(tables, AT + READINGS, reads)
    log = [it for it in tables.sent if it.topic == DECISIONS.name]
    closing = json.loads(log[-1].value or b"")
    assert closing["steps"][0]["reads"]["byline.follower-counts"] != [READINGS, READINGS + 1]
    assert closing["steps"][0]["reads"]["byline.follower-counts"][1] >= READINGS

    monkeypatch.setattr(following, "PIECE", 40)
    sources = {name: _Counting(()) for name in INPUT_MODELS}
    sources["follower-counts"] = _Counting(readings)
    texts = {it.digest: it.canonical for it in environment.policies.values()}
    replay = Replay(environment._replace(policies={}), 0, sources, texts)
    records = [_Logged(offset, it.key, it.value) for offset, it in enumerate(log)]
    assert records[-1].key == TRANSACTION
    sent = asyncio.run(replay.transaction(records))
    assert sent == tables.sent
    assert replay.state == tables.state
    assert sources["follower-counts"].most == 40
    assert replay.inputs == READINGS + 1
