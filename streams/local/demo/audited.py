"""Runs the auditor of `byline audit` over the records of the demo."""

from collections.abc import Iterable, Iterator

from schemas.topics import TopicNames
from streams.local.demo.evidence import Evidence
from streams.local.demo.reading import Raw
from streams.operate.audit.auditor import Auditor
from streams.operate.audit.records import Record


def auditor_finds_nothing(evidence: Evidence) -> Iterator[str]:
    """Checks that the auditor finds no breach of an invariant and has judged every decision.

    Yields a sentence for each fault.
    """
    auditor = Auditor(partition_count=evidence.partitions)
    for record in evidence.records:
        auditor.feed(record)
    for breach in auditor.finish():
        yield f"{breach.name}: {breach.account} {breach.detail} {' '.join(breach.places)}"
    decisions = sum((item.json() or {}).get("kind") == "decision" for item in evidence.decisions)
    if auditor.decisions_seen != decisions:
        yield f"{auditor.decisions_seen} of {decisions} decisions were judged"


def for_the_auditor(records: Iterable[Raw], names: TopicNames) -> list[Record]:
    """Converts records for the auditor: topics without prefix, empty keys and values as None."""
    return [
        Record(
            item.topic.removeprefix(names.prefix),
            item.partition,
            item.offset,
            item.timestamp,
            item.key or None,
            item.value or None,
            item.headers,
        )
        for item in records
    ]
