"""Looks at what lies directly before the begin of a span, so that nothing is passed over unseen.

Where a span begins is asked of Kafka by the times of records. Of events and of the log a producer
states these times, so somebody can date a record before the span and write it behind the last true
one. A worker dates all records of a transaction alike: the log lists a true event at its own time.
So the last transaction before the span is looked up in each topic. What lies before a true record
was written before it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from streams.operate.audit.begins import between, cut_of
from streams.operate.audit.chain import AuditedChain
from streams.operate.audit.happened import plain_of
from streams.operate.audit.logbook import logged
from streams.operate.audit.partition import chain_broken
from streams.operate.audit.reading import Reader
from streams.operate.audit.records import EARLIER_MS, Breach, Record
from streams.operate.audit.switch_log import NEVER

LOOKED_BACK = 64
"""How many offsets before the span the last record is looked for in first; then ever more."""


@dataclass(slots=True)
class Early:
    """What lies directly before a span.

    `undated`: events that say that they came before it, though no decision of that time lists them.
    `older`: how many events are older than what is left of the log: nobody can look them up.
    `chains`: of each partition the chain of the last transaction, to go on from; `breaches`: where
    it is broken.
    """

    undated: list[Record] = field(default_factory=list)
    older: int = 0
    chains: dict[int, AuditedChain] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)


async def look_before(
    reader: Reader, outputs: list[TopicPartition], logs: list[TopicPartition], since: int, read: int
) -> Early:
    """Looks at the last transaction of each partition before a span; moves the consumer.

    `since` (ms): where the span begins; `read` (ms): where reading of the log begins.
    """
    found = Early()
    for record in await _last(reader, logs, read):
        chain = found.chains.setdefault(record.partition, AuditedChain(record.partition))
        for broken in chain.check(record):
            found.breaches.append(chain_broken(broken, record))
    events = await _last(reader, outputs, since)
    left = await _left(reader, logs) if events else {}
    reached = [it for it in events if it.timestamp >= left.get(it.partition, 0)]
    found.older = len(events) - len(reached)
    listed, seen = await _listed(reader, logs, reached), set[tuple[str, int]]()
    for it in reached:
        known = (str(plain_of(it).get("event_id")), it.timestamp)
        if known not in listed or known in seen:
            found.undated.append(it)
        seen.add(known)
    return found


async def _last(reader: Reader, partitions: list[TopicPartition], at: int) -> list[Record]:
    """Returns the last record before `at` (ms) of each partition, and all since that one's time."""
    begins = await reader.beginnings(partitions)
    ends = await reader.offsets_at(dict.fromkeys(partitions, at))
    left = {it: end for it, end in ends.items() if end > begins[it]}
    back, last = LOOKED_BACK, dict[TopicPartition, int]()
    while left:
        starts = {it: max(begins[it], end - back) for it, end in left.items()}
        for record in await between(reader, starts, left):
            last[reader.place(record)] = record.timestamp
        left = {it: at for it, at in left.items() if it not in last and starts[it] > begins[it]}
        back *= LOOKED_BACK
    starts = {it: at for it, at in (await reader.offsets_at(last)).items() if at < ends[it]}
    return await between(reader, starts, {it: ends[it] for it in starts})


async def _left(reader: Reader, logs: list[TopicPartition]) -> dict[int, int]:
    """Returns the time (ms) from which on the log can be asked, of partitions that were cut.

    It is a minute after the first record that is left, for a transaction may be cut in two, and
    clocks differ.
    """
    cut = await cut_of(reader, logs)
    return {it.partition: NEVER if at is None else at + EARLIER_MS for it, (_, at) in cut.items()}


async def _listed(
    reader: Reader, logs: list[TopicPartition], events: Iterable[Record]
) -> set[tuple[str, int]]:
    """Returns id and time (ms) of the events that the log lists around the times of these."""
    times: dict[int, set[int]] = defaultdict(set)
    for it in events:
        times[it.partition].add(it.timestamp)
    listed = set[tuple[str, int]]()
    while times:
        first = {it: min(times[it.partition]) for it in logs if it.partition in times}
        upto = {it: at + EARLIER_MS for it, at in first.items()}
        starts, ends = await reader.offsets_at(first), await reader.offsets_at(upto)
        for record in await between(reader, starts, ends):
            for it in (logged(record) or {}).get("events", ()):
                listed.add((str(it.get("event_id")), record.timestamp))
        later = {it.partition: {at for at in times[it.partition] if at >= upto[it]} for it in first}
        times = {number: left for number, left in later.items() if left}
    return listed
