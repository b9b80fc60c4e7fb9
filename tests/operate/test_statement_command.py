"""`byline statement`: from a file or from the topics, in Chinese, in English, for a program."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from jsonschema import Draft202012Validator

from schemas import export
from schemas.export import STATEMENT
from streams.operate.topics import create
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.recording import clean


@pytest.fixture(scope="module")
def restriction() -> dict[str, Any]:
    """The event of a restriction of tips, after silence."""
    return next(
        it
        for it in clean().events
        if it["event"] == "throttle.applied"
        and (it["surface"], it["reason"]) == ("tips", "no_answer")
    )


@pytest.fixture
def file(restriction: dict[str, Any], tmp_path: Path) -> str:
    """The same, in a file."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps(restriction))
    return str(path)


def test_it_is_chinese_unless_english_is_asked_for(byline: Byline, file: str) -> None:
    assert byline("statement", file).out == byline("statement", file, "--lang", "zh").out
    assert "打赏收入" in byline("statement", file).out
    english = byline("statement", file, "--lang", "en")
    assert english.code == 0
    assert "income from tips: switched off" in english.out


def test_json_is_the_statement_as_its_schema_has_it(
    byline: Byline, file: str, restriction: dict[str, Any]
) -> None:
    said = json.loads(byline("statement", file, "--json").out)
    Draft202012Validator(json.loads(export.read()[STATEMENT])).validate(said)
    assert said["restriction"]["surface"] == "tips"
    assert said["dsa"]["puid"] == restriction["throttle_id"]


def test_a_file_that_holds_no_restriction_is_refused(byline: Byline, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"event": "throttle.lifted"}')
    refused = byline("statement", str(other))
    assert refused.code == 2
    assert "no throttle.applied with a statement" in refused.err


@pytest.mark.kafka
def test_an_event_is_found_by_its_id_among_live_and_shadow_ones(
    on_kafka: Settings, byline: Byline, restriction: dict[str, Any]
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    shadow = {**restriction, "event_id": "of-the-shadow", "mode": "shadow"}
    asyncio.run(lay(on_kafka, {"throttles": restriction, "shadow.throttles": shadow}))
    live = byline("statement", restriction["event_id"], "--lang", "en")
    assert restriction["throttle_id"] in live.out
    assert "Shadow mode" not in live.out
    assert "Shadow mode" in byline("statement", "of-the-shadow", "--lang", "en").out
    missing = byline("statement", "of-nobody")
    assert missing.code == 2
    assert "neither a file nor an event of throttles or shadow.throttles" in missing.err


async def lay(settings: Settings, events: dict[str, dict[str, Any]]) -> None:
    """Put events into topics."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as client:
        for topic, event in events.items():
            await client.send_and_wait(
                settings.topic_prefix + topic, json.dumps(event).encode(), b"weibo:a1"
            )
