"""An index that has not read all, or is old, is not taken for what Kafka has."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Engine, update

from streams.index import follow, tables
from streams.index.database import FILE_NAME, open_engine, reading, url_of, writing
from streams.index.feed import Feed
from streams.index.fresh import Fresh, freshness
from streams.index.retention import forget
from streams.kafka.stretches import Stretch
from streams.serve.api import make_app
from streams.serve.roles import Who, held
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.core.given import DAY, HOUR
from tests.index.filled import contents, filled
from tests.index.poured import pour, topics, two_lives
from tests.operate.recording import RECORDINGS
from tests.serve.test_api import TOKENS, digest

__all__ = ["byline", "clean_environment", "on_kafka"]
PERIOD = ("--from", "2023-01-01T00:00:00Z", "--to", "2025-01-01T00:00:00Z")
ONLY_INDEX = [
    ("report", *PERIOD, "--as", "csv"),
    ("funnel", *PERIOD),
    ("propagation",),
    ("shadow", "report"),
    ("rollout", "status"),
    ("worklist", "unacknowledged"),
]
OR_KAFKA = [
    ("status",),
    ("explain", "weibo:a4"),
    ("events",),
    ("worklist", "pending"),
    ("dead-letters", "list"),
    ("policy", "history"),
    ("statement", "weibo:a4"),
]
NOWHERE = "127.0.0.1:1"
"""No Kafka answers there."""


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An index of a recording, years old, where commands find it, and no Kafka."""
    (tmp_path / "byline").mkdir()
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    monkeypatch.setenv(variable("kafka_bootstrap_servers"), NOWHERE)
    return filled(tmp_path / "byline", RECORDINGS["clean"](), FILE_NAME)


def stopped(monkeypatch: pytest.MonkeyPatch, *, midway: bool) -> None:
    """Ctrl-C at the first look for records; or `midway`, after those of one partition came."""
    ready = not midway

    async def few(self: Feed, seconds: float) -> list[Stretch]:
        nonlocal ready
        if ready:
            os.kill(os.getpid(), signal.SIGINT)
            # The loop has to come to the signal's handler before the next look.
            await asyncio.sleep(0.1)
            return []
        found = (await self._client.take(seconds, 5))[:1]
        ready = bool(found)
        return found

    monkeypatch.setattr(Feed, "take", few)
    monkeypatch.setattr(follow, "BATCH_RECORDS", 1)


def fresh_of(engine: Engine) -> Fresh:
    with reading(engine) as connection:
        return freshness(connection)


@pytest.mark.kafka
@pytest.mark.parametrize("midway", [False, True], ids=["as it starts", "in the middle"])
def test_a_rebuild_that_was_stopped_is_not_the_answer(
    midway: bool, on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records)
    assert byline("index").code == 0
    engine = open_engine(url_of(on_kafka))
    first = contents(engine)
    whole = {words: byline(*words) for words in (*ONLY_INDEX, *OR_KAFKA)}
    events = json.loads(f"[{byline('events', '--json').out.strip()}]".replace("\n", ","))
    with monkeypatch.context() as patched:
        stopped(patched, midway=midway)
        done = byline("index", "--rebuild")
    assert done.code == 130, done.out + done.err
    left = fresh_of(engine)
    assert left.as_of is None
    assert left.read + left.behind == len(records)
    assert bool(left.read) == midway
    assert "are left; the next `byline index` goes on there" in done.err
    for words in ONLY_INDEX:
        told = byline(*words)
        assert (told.code, told.out) == (2, ""), words
        assert f"{left.read:,} of {len(records):,} read" in told.err, words
    for words in OR_KAFKA:
        told = byline(*words)
        assert told.code == whole[words].code, (words, told.err)
        assert f"{left.read:,} of {len(records):,} read" in told.err, words
    anew = json.loads(f"[{byline('events', '--json').out.strip()}]".replace("\n", ","))
    assert sorted(map(repr, anew)) == sorted(map(repr, events)) != []
    plain = json.loads(byline("explain", "weibo:a4", "--json").out)
    assert plain["source"]["says"] == "from_kafka"
    assert byline("index").code == 0
    assert contents(engine) == first
    assert byline(*ONLY_INDEX[0]).out == whole[ONLY_INDEX[0]].out


@pytest.mark.kafka
def test_the_first_filling_that_was_stopped_is_not_the_answer(
    on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records)
    with monkeypatch.context() as patched:
        stopped(patched, midway=False)
        assert byline("index").code == 130
    told = byline(*ONLY_INDEX[0])
    assert (told.code, told.out) == (2, "")
    assert f"{len(records):,} records left" in told.err
    assert byline("index").code == 0
    assert byline(*ONLY_INDEX[0]).code == 0


@pytest.mark.kafka
def test_an_index_that_was_whole_stays_it_while_it_catches_up(
    on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records[:50])
    assert byline("index").code == 0
    engine = open_engine(url_of(on_kafka))
    before = fresh_of(engine).as_of
    pour(on_kafka, records[50:])
    with monkeypatch.context() as patched:
        stopped(patched, midway=True)
        assert byline("index").code == 130
    after = fresh_of(engine)
    assert after.as_of == before is not None
    assert 0 < after.behind < len(records) - 50, "some batches were written"
    assert byline(*ONLY_INDEX[0]).code == 0


@pytest.mark.kafka
def test_status_of_an_old_index_reads_what_is_in_force_from_kafka(
    on_kafka: Settings, byline: Byline
) -> None:
    topics(on_kafka)
    pour(on_kafka, two_lives())
    assert byline("index").code == 0
    engine = open_engine(url_of(on_kafka))
    with writing(engine) as connection:
        connection.execute(update(tables.freshness).values(as_of=tables.freshness.c.as_of - 90_000))
        # What the index has of the workers' state is not what Kafka has.
        connection.execute(tables.states.delete())
    plain = json.loads(byline("status", "--json").out)
    assert plain["known"] is True
    assert plain["running"] != []
    assert plain["source"].startswith("from the topics themselves (from the index as of ")


def test_without_kafka_an_index_that_is_being_filled_answers_nothing(
    alone: Engine, byline: Byline
) -> None:
    forget(alone, {}, 7)
    for words in (*ONLY_INDEX, *OR_KAFKA):
        told = byline(*words)
        assert (told.code, told.out) == (2, ""), words
        assert "the index has not yet read all topics" in told.err, words


def test_an_old_index_knows_what_was_and_not_what_is(alone: Engine, byline: Byline) -> None:
    told = byline("status")
    assert told.code == 2
    assert "Not known: what is in force now" in told.out
    assert "No brake is on" not in told.out
    assert "is unsettled" not in told.out
    assert json.loads(byline("status", "--json").out)["known"] is False
    told = byline("explain", "weibo:nobody")
    assert "Nothing is kept" not in told.out
    assert "what came since is not in it" in told.out
    assert "From the index, which is old" in told.out
    assert "no such event in the index, which is old" in byline("events", "--account", "a:b").out
    assert "as far as the old index knows" in byline("statement", "weibo:nobody").err
    assert byline("propagation").code == 2
    assert "numbers may rise" in byline("report", *PERIOD).err


def test_how_old_a_number_behind_is_stands_beside_it() -> None:
    late = Fresh(0, 0, 5_000).text(725_000)
    assert "12 min ago, 0 records behind when it last looked, 12 min ago" in late
    assert "what came since is missing" in late
    assert Fresh(0, 3, 1_000).as_dict()["behind_at"] == "1970-01-01T00:00:01.000Z"
    assert "nothing was read into it" in Fresh(None, 0, 0).text(0)
    assert "9 records left when it last looked, 3 of 12 read" in Fresh(None, 9, 0, 3).text(0)


async def test_the_read_api_answers_nothing_from_a_part(alone: Engine) -> None:
    def clock() -> int:
        return RECORDINGS["clean"]().now

    roles = {digest(TOKENS["all"]): Who("desk.1", held(["viewer"]))}
    forget(alone, {}, 7)
    async with TestClient(TestServer(make_app(alone, roles, clock, DAY, HOUR, "0"))) as client:
        headers = {"Authorization": f"Bearer {TOKENS['all']}"}
        for path in (
            "/v1/accounts/weibo:a5",
            "/v1/accounts/weibo:a5/events",
            "/v1/worklists/pending",
            "/v1/funnel",
            "/v1/report?from=2023-12-01T00:00:00Z&to=2025-01-01T00:00:00Z",
            "/v1/propagation",
        ):
            answer = await client.get(path, headers=headers)
            assert answer.status == 503, path
            assert "has not yet read all topics" in (await answer.json())["error"]
        numbers = await (await client.get("/metrics")).text()
    assert "byline_index_behind_records 0" in numbers
    assert "byline_restricted_invitations{" not in numbers
    assert "byline_index_as_of_timestamp_seconds 1" not in numbers
