"""The CloudEvents SDK reads every event, from the very bytes and headers that the core writes."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.v1 import kafka as older

from schemas.enums import Event
from schemas.events import EVENT_MODELS
from schemas.topics import OUTPUTS
from tests.contracts.test_outputs import days
from tests.core.given import NOT_EVENTS

Raw = tuple[str, bytes | None, bytes, dict[str, bytes]]


@pytest.fixture(scope="module")
def written() -> list[Raw]:
    """Every event of days on which everything happens: topic, key, value, headers."""
    return [
        (topic, key, value, dict(headers))
        for day in days()
        for topic, key, value, headers in day.tables.raw
        if topic not in NOT_EVENTS
    ]


def test_they_are_of_every_kind_and_topic(written: list[Raw]) -> None:
    assert {json.loads(value)["event"] for _, _, value, _ in written} == set(Event)
    nobody_answers = {"shadow.consents"}
    wanted = {topic.name for topic in OUTPUTS} - nobody_answers
    assert {topic for topic, _, _, _ in written} == wanted


def test_the_sdk_reads_each(written: list[Raw]) -> None:
    for _, key, value, headers in written:
        read = from_kafka(KafkaMessage(headers, key, value), JSONFormat())
        _holds(read.get_attributes(), read.get_data(), key, value)
        assert type(read).__module__ == "cloudevents.core.v1.event"


def test_so_does_its_older_interface(written: list[Raw]) -> None:
    for _, key, value, headers in written:
        event = older.from_binary(older.KafkaMessage(headers, key, value))
        attributes = dict(event.get_attributes())
        attributes["partitionkey"] = attributes["partitionkey"].decode()
        _holds(attributes, event.get_data(), key, value)


def _holds(attributes: Any, data: Any, key: bytes | None, value: bytes) -> None:
    plain = json.loads(value)
    assert data == plain
    EVENT_MODELS[Event(plain["event"])].model_validate(data)
    time = attributes["time"]
    said = time if isinstance(time, str) else time.isoformat(timespec="milliseconds")
    assert said.replace("+00:00", "Z") == plain["decided_at"]
    assert {name: attributes[name] for name in attributes if name != "time"} == {
        "specversion": "1.0",
        "id": plain["event_id"],
        "source": f"/byline/{plain['platform']}",
        "type": f"byline.{plain['event']}.v1",
        "subject": plain["account_id"],
        "datacontenttype": "application/json",
        "partitionkey": (key or b"").decode(),
    }


@pytest.mark.parametrize("header", ["ce_source", "ce_type"])
def test_it_would_not_read_one_that_lacks_a_header(written: list[Raw], header: str) -> None:
    _, key, value, headers = written[0]
    lacking = {name: text for name, text in headers.items() if name != header}
    with pytest.raises(CloudEventValidationError):
        from_kafka(KafkaMessage(lacking, key, value), JSONFormat())
