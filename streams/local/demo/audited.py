"""The shipped auditor, held to the day: what `byline audit` would say of the records read back."""

from collections.abc import Iterable, Iterator

from schemas.topics import TopicNames
from streams.local.demo.evidence import Evidence
from streams.local.demo.reading import Raw
from streams.operate.audit.auditor import Auditor
from streams.operate.audit.records import Record


def auditor_finds_nothing(evidence: Evidence) -> Iterator[str]:
    """No breach of an invariant, no break in the chain, and no decision that was not judged."""
    auditor = Auditor(partition_count=evidence.partitions)
    for record in evidence.records:
        auditor.feed(record)
    for breach in auditor.finish():
        yield f"{breach.name}: {breach.account} {breach.detail} {' '.join(breach.places)}"
    decisions = sum((item.json() or {}).get("kind") == "decision" for item in evidence.decisions)
    if auditor.decisions_seen != decisions:
        yield f"{auditor.decisions_seen} of {decisions} decisions were judged"


def for_the_auditor(records: Iterable[Raw], names: TopicNames) -> list[Record]:
    """Records as the auditor reads them: topics without their prefix, no key or value as None."""
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
