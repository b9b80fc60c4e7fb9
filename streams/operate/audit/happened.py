"""What happened, one thing after the other, and how records of the log are named."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.enums import Event
from schemas.events import EVENT_TOPIC
from streams.operate.audit.odd import mapping
from streams.operate.audit.records import Record


class Decided(NamedTuple):
    """A record of the log, parsed."""

    record: Record
    plain: Mapping[str, Any]


class Happened(NamedTuple):
    """One thing in its order: an input read, an event with its decision, or a record of the log.

    `listed`: what the decision says about the event; None if no decision names it. `edition`: that
    of the contract under which the transaction was made. `out_of_turn`: only favourable timers
    could act. `unread`: how many records could not be read.
    """

    kind: str
    record: Record | None
    decided: Decided | None = None
    listed: Mapping[str, Any] | None = None
    now: int = 0
    edition: int = 1
    out_of_turn: bool = False
    unread: int = 0


def bare(topic: str) -> str:
    """A topic's name without its prefix."""
    return topic.rsplit(".", 1)[-1]


def output_of(listed: Mapping[str, Any]) -> str:
    """The topic (without prefix) of an event that a decision names."""
    topic = EVENT_TOPIC[Event(listed["event"])]
    return f"shadow.{topic}" if listed["mode"] == "shadow" else topic


def plain_of(record: Record) -> Mapping[str, Any]:
    """A record's JSON object; empty when it has none."""
    return mapping(record.value)
