"""The decision log as a test reads it: transaction by transaction, in each partition's order."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.worker.harness import Estate

ADVERSE = frozenset(
    {
        "invitation.issued",
        "invitation.reminded",
        "invitation.expired",
        "throttle.applied",
        "throttle.renewed",
    }
)


class LoggedTransaction(NamedTuple):
    """What one transaction logged, in order, when it ended, and how far it had read by then."""

    lines: list[dict[str, Any]]
    now: str
    reads: Mapping[str, int]

    def events(self) -> Iterator[dict[str, Any]]:
        """The events it wrote, each with the instant and the account of its decision."""
        for line in self.lines:
            for event in line.get("events", ()):
                who = f"{line['platform']}:{line['account_id']}"
                yield {**event, "decided_at": line["now"], "key": who}

    def adverse(self) -> list[str]:
        """Its adverse events, in words."""
        return [
            f"{event['event']} {event['key']} {event['decided_at']}"
            for event in self.events()
            if event["event"] in ADVERSE
        ]


def transactions(estate: Estate) -> dict[int, list[LoggedTransaction]]:
    """All transactions, by partition; `reads` by topic without prefix."""
    found: dict[int, list[LoggedTransaction]] = defaultdict(list)
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in estate.read(["decisions"]):
        line = record.json
        if line["kind"] != "transaction":
            lines[record.partition].append(line)
            continue
        reads = {
            topic.removeprefix(estate.names.prefix): upto for topic, upto in line["reads"].items()
        }
        own = lines.pop(record.partition, [])
        found[record.partition].append(LoggedTransaction(own, line["now"], reads))
    assert not any(lines.values()), "the log ends within a transaction"
    return found


def reading(known: list[LoggedTransaction], topic: str, offset: int) -> int:
    """Which transaction of a partition read a record: the first whose reads go beyond it."""
    return next(number for number, one in enumerate(known) if one.reads.get(topic, 0) > offset)
