"""`byline events` and `byline statement PLATFORM:ACCOUNT`: what went out, from the topics."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.enums import Event
from streams.operate.audit.records import Record, iso, millis
from streams.operate.events import WantedEvents, line_of, types_of
from streams.operate.send import partition_of
from streams.operate.statements.restrictions import Restrictions
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.core.given import DAY, HOUR
from tests.operate.conftest import until
from tests.operate.recording import Tape, clean, invited
from tests.support import processes

PARTITIONS = 2


def test_a_type_is_named_whole_or_by_half() -> None:
    assert types_of(["invitation.issued"]) == {Event.INVITATION_ISSUED}
    assert types_of(["lifted"]) == {Event.THROTTLE_LIFTED}
    assert {it.value.split(".")[0] for it in types_of(["consent"])} == {"consent"}
    with pytest.raises(ValueError, match="isued"):
        types_of(["isued"])


def test_a_time_holds_from_its_first_to_before_its_last() -> None:
    event = {"event": "invitation.issued", "decided_at": "2024-01-01T00:00:00.000Z"}
    record = Record("invitations", 0, 0, 0, b"weibo:a1", b"")
    at = millis(event["decided_at"])
    assert WantedEvents(start=at, end=at + 1).takes(record, event)
    assert not WantedEvents(start=at + 1).takes(record, event)
    assert not WantedEvents(end=at).takes(record, event)
    assert not WantedEvents(start=at).takes(record, {"event": "invitation.issued"}), (
        "no event of ours"
    )
    assert not WantedEvents().takes(record, {}), "nor is this"


def test_a_line_has_what_a_person_looks_for() -> None:
    event = next(it for it in clean().events if it["event"] == "throttle.applied")
    line = line_of(event)
    for word in ("weibo:", "throttle.applied", event["surface"], event["event_id"], "expires_at="):
        assert word in line


@pytest.fixture
def laid(on_kafka: Settings) -> list[dict[str, Any]]:
    """The outputs of a long history, where they belong."""
    asyncio.run(create(on_kafka, PARTITIONS, 1))
    tape = clean()
    asyncio.run(_lay(on_kafka, tape))
    return tape.events


async def _lay(settings: Settings, tape: Tape) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as client:
        for topic, key, value, _ in tape.tables.raw:
            event = json.loads(value or b"{}")
            if key is None or "event" not in event or topic == "decisions":
                continue
            await client.send(
                settings.topic_prefix + topic,
                value,
                key,
                partition=partition_of(key, PARTITIONS),
                timestamp_ms=millis(event["decided_at"]),
            )
        await client.flush()


def told(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.kafka
def test_events_are_told_by_account_platform_type_and_time(
    laid: list[dict[str, Any]], byline: Byline
) -> None:
    everything = told(byline("events", "--json").out)
    assert len(everything) == len(laid)
    mine = told(byline("events", "--account", "weibo:a4", "--json").out)
    assert [it["sequence"] for it in mine] == list(range(1, len(mine) + 1)), "in their order"
    assert {it["account_id"] for it in mine} == {"a4"}
    assert told(byline("events", "--platform", "douyin", "--json").out) == []
    applied = told(byline("events", "--type", "applied", "--type", "renewed", "--json").out)
    assert {it["event"] for it in applied} == {"throttle.applied", "throttle.renewed"}
    middle = iso(millis(laid[0]["decided_at"]) + 6 * DAY)
    before = told(byline("events", "--to", middle, "--json").out)
    after = told(byline("events", "--from", middle, "--json").out)
    assert len(before) + len(after) == len(laid)
    assert max(it["decided_at"] for it in before) < min(it["decided_at"] for it in after)
    text = byline("events", "--account", "weibo:a4").out
    assert text.count("\n") == len(mine)
    assert byline("events", "--account", "weibo:nobody").out == "no such event\n"
    wrong = byline("events", "--type", "isued")
    assert (wrong.code, "did you mean issued?" in wrong.err) == (2, True)
    assert byline("events", "--account", "a4").code == 2


@pytest.mark.kafka
def test_a_statement_of_an_account_is_of_its_last_restrictions(
    laid: list[dict[str, Any]], byline: Byline
) -> None:
    account = next(it["account_id"] for it in laid if it["event"] == "throttle.applied")
    mine = [it for it in laid if it["account_id"] == account and it["event"] == "throttle.applied"]
    last = [it for it in mine if it["cycle"] == max(each["cycle"] for each in mine)]
    plain = json.loads(byline("statement", f"weibo:{account}", "--json").out)
    assert [it["restriction"]["surface"] for it in plain] == [it["surface"] for it in last]
    english = byline("statement", f"weibo:{account}", "--lang", "en").out
    assert all(it["throttle_id"] in english for it in last)
    assert byline("index").code == 0
    for wanted in (f"weibo:{account}", last[0]["event_id"]):
        told_by = ("statement", wanted, "--lang", "en")
        indexed, kafka = byline(*told_by), byline(*told_by, "--kafka")
        assert indexed.out == kafka.out != "", wanted
        assert "from the index as of" in indexed.err
    nobody = byline("statement", "weibo:nobody")
    assert nobody.code == 2
    assert "nor an account that was ever restricted" in nobody.err


@pytest.mark.kafka
def test_followed_events_come_as_they_go_out_until_it_is_told_to_stop(
    laid: list[dict[str, Any]], on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    said, plain = tmp_path / "said", tmp_path / "plain"
    now = int(time.time() * 1000)
    start = iso(now - 20 * DAY)
    mine = processes.start(
        ["events", "--follow", "--account", "weibo:a4", "--from", start, "--json"], os.environ, said
    )
    new = processes.start(["events", "--follow", "--type", "applied"], os.environ, plain)
    time.sleep(4)
    tape = Tape()
    tape.now = now - 10 * DAY
    invited(tape, "a4").receipt(account="a4").wait(4 * DAY)
    asyncio.run(_lay(on_kafka, tape))
    wanted = [it["event_id"] for it in tape.events]
    until(lambda: said.exists() and len(told(said.read_text())) >= len(wanted), 60, "all of them")
    found = [it["event_id"] for it in told(said.read_text())]
    assert sorted(found) == sorted(wanted)
    until(lambda: plain.exists() and plain.read_text().count("\n") >= 2, 60, "the restrictions")
    assert plain.read_text().count("throttle.applied") == 2
    for process in (mine, new):
        process.terminate()
        assert process.wait(20) == 0
    assert byline("events", "--follow", "--to", start).code == 2


def test_what_is_in_force_comes_before_what_was() -> None:
    tape = invited(Tape(), "a1").receipt(account="a1").wait(4 * DAY)
    restrictions = Restrictions()
    for record in tape.records():
        if record.topic == "throttles":
            restrictions.feed(record)
    assert {it.surface for it in restrictions.told(tape.now)} == {"recommend-feed", "tips"}
    assert len(restrictions.told(tape.now + 90 * DAY)) == 2, (
        "they are over: those of its last cycle"
    )
    tape.answer("granted", "a1").wait(HOUR)
    lifted = Restrictions()
    for record in tape.records():
        if record.topic == "throttles":
            lifted.feed(record)
    assert len(lifted.told(tape.now)) == 2
