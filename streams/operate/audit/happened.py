"""The steps of a partition in the order in which they took effect, and names of topics."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.enums import Event
from schemas.events import EVENT_TOPIC
from streams.operate.audit.odd import mapping
from streams.operate.audit.records import Record


class Decided(NamedTuple):
    """A record of the decision log and its parsed JSON."""

    record: Record
    plain: Mapping[str, Any]


class Happened(NamedTuple):
    """One step: an input was read, an event published, or a record of the log written.

    `kind`: `input`, `unreadable` (a batch of `unread` records), `event`, `missing` (an event that a
    decision lists and that is not there), `begin` and `end` of a transaction, or the record's own
    kind. `listed`: what the decision says about the event; None if no decision lists it. `now`: ms,
    of an input alone. `edition`: 1 or 2, the contract's edition under which the transaction was
    made. `out_of_turn`: only favourable timers could act.
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
    """Returns a topic's name without its prefix."""
    return topic.rsplit(".", 1)[-1]


def output_of(listed: Mapping[str, Any]) -> str:
    """Returns the topic (without prefix) of an event that a decision lists."""
    topic = EVENT_TOPIC[Event(listed["event"])]
    return f"shadow.{topic}" if listed["mode"] == "shadow" else topic


def plain_of(record: Record) -> Mapping[str, Any]:
    """Returns a record's JSON object; empty if its value is none."""
    return mapping(record.value)
