"""The input of the checks: all records of a day, read back from Kafka."""

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
    """All data that the checks use. Keys are Kafka keys."""

    names: TopicNames
    stories: Mapping[str, Story]
    events: Sequence[Seen]
    dead_letters: Sequence[Raw]
    refusals: Mapping[str, int]
    """By reason, how many dead letters the invalid records must have caused."""
    decisions: Sequence[Raw]
    texts: Sequence[tuple[str, bytes]]
    """Everything in which no name may be, with a description: records, logs, metrics."""
    covered: Mapping[str, frozenset[str]]
    """By platform, the labels that mean a covered field."""
    labels: Mapping[str, frozenset[str]]
    """By key, every label text that was sent about the account."""
    records: Sequence[Record]
    """Every input, event, decision, policy and dead letter, for the auditor."""
    partitions: int
    """The number of partitions of each keyed topic."""


def by_account(events: Sequence[Seen]) -> dict[tuple[str, str], list[Seen]]:
    """Groups events by key and mode, each group in the order of `sequence`."""
    accounts: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for item in events:
        accounts[item.key, item.mode].append(item)
    for items in accounts.values():
        items.sort(key=lambda item: int(item.value.get("sequence", 0)))
    return accounts


def place(item: Seen | Raw) -> str:
    """Returns the place of a record: `topic[partition]@offset`."""
    return f"{item.topic}[{item.partition}]@{item.offset}"


def instant(text: object) -> datetime:
    """Parses an ISO 8601 time from a record."""
    return datetime.fromisoformat(str(text))
