"""The AsyncAPI 3 document: every topic a channel, with Kafka bindings and its messages."""

from typing import Any

from schemas.enums import Event
from schemas.events import EVENT_MODELS, EVENT_TOPIC, TRACEPARENT, TRACEPARENT_PATTERN
from schemas.records import RECORD_MODELS
from schemas.topics import KEEP_FOR_EVER, TOPICS, Topic, TopicNames

Document = dict[str, Any]

NAMES = TopicNames("byline.", "byline")
_READ = ("input", "acks")
"""Roles of topics that other programs write to."""

_DIALECT = "application/schema+json;version=draft-2020-12"
_HEADERS: dict[str, str] = {
    "ce_specversion": "1.0",
    "ce_id": "the event_id",
    "ce_source": "/byline/<platform>",
    "ce_type": "byline.<event>.v1",
    "ce_time": "decided_at",
    "ce_subject": "the account_id",
    "content-type": "application/json",
}


def document() -> Document:
    """Returns the document. Its payloads refer to the JSON Schemas in the same folder."""
    channels = {topic.name: _channel(topic) for topic in TOPICS if _messages_of(topic)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Byline",
            "version": "1",
            "description": (
                "Readings, labels and answers in; invitation, consent and throttle events out. "
                "Topic names have the prefix of the deployment, `byline.` unless set otherwise."
            ),
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            f"{_verb(topic)}.{topic.name}": {
                "action": "receive" if topic.role in _READ else "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.what,
            }
            for topic in TOPICS
            if topic.name in channels
        },
        "components": {
            "messages": {
                **{name: _message(name, f"inputs/{name}") for name in _inputs()},
                **{event: _event_message(event) for event in EVENT_MODELS},
                **{name: _message(name, f"records/{name}") for name in _records()},
            },
        },
    }


def _inputs() -> list[str]:
    return [topic.name for topic in TOPICS if topic.role in _READ]


def _records() -> list[str]:
    return [*RECORD_MODELS, "dead-letter", "settlement"]


def _verb(topic: Topic) -> str:
    return "read" if topic.role in _READ else "write"


def _messages_of(topic: Topic) -> list[str]:
    """Returns the names of a topic's messages. Changelogs and policies are internal: none."""
    if topic.role in _READ:
        return [topic.name]
    if topic.role == "output":
        name = topic.name.removeprefix("shadow.")
        return [event for event in Event if EVENT_TOPIC[event] == name]
    if topic.role == "decisions":
        return list(RECORD_MODELS)
    return ["dead-letter", "settlement"] if topic.role == "dead-letters" else []


def _channel(topic: Topic) -> Document:
    configuration: Document = {
        "cleanup.policy": [topic.cleanup],
        "max.message.bytes": topic.max_message_bytes,
    }
    if topic.retention_ms is not None:
        configuration["retention.ms"] = topic.retention_ms
    binding: Document = {"topic": NAMES.of(topic), "topicConfiguration": configuration}
    if topic.single:
        binding["partitions"] = 1
    kept = " Kept for ever." if topic.retention_ms == KEEP_FOR_EVER else ""
    return {
        "address": NAMES.of(topic),
        "description": f"{topic.what}. Key: {topic.key}.{kept}",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic)
        },
        "bindings": {"kafka": {**binding, "bindingVersion": "0.5.0"}},
    }


def _message(name: str, path: str) -> Document:
    return {
        "name": name,
        "contentType": "application/json",
        "payload": {"schemaFormat": _DIALECT, "schema": {"$ref": f"./{path}.json"}},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _event_message(event: Event) -> Document:
    headers = {name: {"type": "string", "description": what} for name, what in _HEADERS.items()}
    headers["ce_type"] = {"type": "string", "const": f"byline.{event}.v1"}
    required = list(headers)
    headers[TRACEPARENT] = {
        "type": "string",
        "pattern": TRACEPARENT_PATTERN,
        "description": "the trace of the transaction that wrote it; absent without traces",
    }
    described = (EVENT_MODELS[event].__doc__ or "").strip()
    return {
        **_message(event, f"events/{event}.v1"),
        "summary": described,
        "headers": {"type": "object", "properties": headers, "required": required},
    }
