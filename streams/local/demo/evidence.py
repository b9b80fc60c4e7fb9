"""What the checks look at: the records of a day, read back from Kafka from the beginning."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.topics import TopicNames
from streams.local.demo.reading import Raw
from streams.local.demo.script import Story
from streams.local.demo.tally import Seen
from streams.operate.audit.records import Record


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the checks look at."""

    names: TopicNames
    stories: Mapping[str, Story]
    events: Sequence[Seen]
    dead_letters: Sequence[Raw]
    refusals: Mapping[str, int]
    """How many dead letters of each reason the planted garbage must have left."""
    decisions: Sequence[Raw]
    texts: Sequence[tuple[str, bytes]]
    """Everything that must hold no name, with what it is: records, logs, metrics."""
    covered: Mapping[str, frozenset[str]]
    """By platform: the labels that mean a covered field."""
    labels: Mapping[str, frozenset[str]]
    """By key: every label text that was ever sent about the account."""
    records: Sequence[Record]
    """Every input, event, decision, policy and dead letter, for the auditor."""
    partitions: int
    """How many partitions each keyed topic has."""


def by_account(events: Sequence[Seen]) -> dict[tuple[str, str], list[Seen]]:
    """Events by key and mode, in the order of `sequence`."""
    accounts: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for item in events:
        accounts[item.key, item.mode].append(item)
    for items in accounts.values():
        items.sort(key=lambda item: int(item.value.get("sequence", 0)))
    return accounts


def place(item: Seen | Raw) -> str:
    """Where a record is."""
    return f"{item.topic}[{item.partition}]@{item.offset}"


def instant(text: object) -> datetime:
    """A time of the wire."""
    return datetime.fromisoformat(str(text))
