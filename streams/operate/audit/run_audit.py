"""Runs the auditor over Kafka's topics: a span of them, or all that is written from now on.

It asks for the ends of the decision log first and of all other topics after that, so that
everything that the log names lies before those ends.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import DECISIONS, OUTPUTS
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.auditor import ASIDE, READS, Auditor
from streams.operate.audit.early import look_before
from streams.operate.audit.logbook import logged
from streams.operate.audit.reading import Reader
from streams.operate.audit.records import EARLIER_MS, SECOND, Breach, iso
from streams.operate.ends import Ends, nothing_hidden
from streams.operate.errors import EndHiddenError

SETTLE_SECONDS = 1.0
SHOWN = 5
"""How many events a message names."""
BUFFERED = 20_000
"""How many records of one topic's partition may be buffered before reading it is paused."""
LOOK_SECONDS = 5.0
"""How often (s) a followed audit asks Kafka where the log ends."""


@dataclass(frozen=True, slots=True)
class Span:
    """What to audit: from an instant to an instant (ms). None: from the beginning, to the end."""

    start: int | None = None
    end: int | None = None


Found = Callable[[list[Breach]], None]


async def audit_topics(
    consumer: TolerantConsumer,
    prefix: str,
    span: Span,
    found: Found,
    *,
    follow: bool = False,
    require_approvals: bool = False,
    progress: Callable[[Auditor], None] = lambda _: None,
    caught_up: Callable[[float], None] = lambda _: None,
    partitions: int | None = None,
    id_key: bytes | None = None,
) -> Auditor:
    """Audits the span, then, with `follow`, everything that is written later, without an end.

    `found` is called with breaches as they are found; `progress` with the auditor, after each step
    of following or once at the end; `caught_up`, some seconds apart, with the instant (seconds UTC)
    up to which the decision log was read. `partitions`: how many of each topic are read; None: all.
    An open transaction that hides a topic's end is named in `Auditor.hidden`.

    Raises:
        MissingTopicsError: topics do not exist.
        NoRightError: topics may not be read.
    """
    reader = Reader(consumer, prefix, partitions)
    await reader.find(topic.name for topic in READS)
    late = None if span.start is None else span.start - EARLIER_MS
    side = reader.of(*ASIDE)
    main = [it for topic in READS for it in reader.of(topic.name) if it not in side]
    logs = reader.of(DECISIONS.name)
    auditor = Auditor(
        partition_count=len(logs),
        require_approvals=require_approvals,
        since=span.start,
        id_key=id_key,
    )
    ends = await reader.ends(logs, span.end)
    await asyncio.sleep(SETTLE_SECONDS)
    if span.start is not None:
        await _begin(reader, auditor, span.start, [*main, *side], found)
    await reader.seek(side, None)
    await _read(reader, auditor, await reader.ends(side), found)
    side_read = await reader.positions()
    found(auditor.breaches())
    ends |= await reader.ends([it for it in main if it not in logs])
    auditor.whole = await reader.seek(main, late, side_read if follow else None)
    auditor.cut(reader.cut)
    if not follow:
        await _read(reader, auditor, ends, found)
        listed: set[str] | None = None
        try:
            await reader.nothing_hidden()
            listed = await _listed_later(reader, auditor, {it: ends[it] for it in logs})
        except EndHiddenError as error:
            auditor.hidden = str(error)
        found(auditor.finish(listed))
        progress(auditor)
        return auditor
    look = _Look(reader, logs, auditor)
    while True:
        await _step(reader, auditor)
        found(auditor.breaches())
        progress(auditor)
        instant = await look.caught_up()
        if instant is not None:
            auditor.unlisted()
            found(auditor.breaches())
            caught_up(instant)
        reader.pace(partial(_too_many, auditor))


async def _begin(
    reader: Reader, auditor: Auditor, since: int, partitions: list[TopicPartition], found: Found
) -> None:
    """Looks where a span begins (`since`, ms) in each partition, and at what lies before that."""
    begins = await reader.offsets_at(dict.fromkeys(partitions, since))
    auditor.begins = {f"{reader.name(it)}[{it.partition}]": at for it, at in begins.items()}
    logs, outputs = reader.of(DECISIONS.name), reader.of(*(topic.name for topic in OUTPUTS))
    early = await look_before(reader, outputs, logs, since, since - EARLIER_MS)
    auditor.continue_from(early.chains)
    auditor.undated, auditor.older = early.undated, early.older
    found(early.breaches)


def unjudged(auditor: Auditor) -> list[str]:
    """Returns a sentence for each kind of events that were not judged, with what to do."""
    said, cut, undated = [], auditor.unjudged, auditor.undated
    if cut:
        where = ", ".join(f"decisions[{it}]: {count}" for it, count in sorted(cut.items()))
        said.append(
            f"{cut.total()} events are not judged: Kafka no longer has what the log said of them"
            f" ({where}). A log that retention cut: `byline audit --from"
            f" {iso(auditor.judged_from)}` judges what is left. Else somebody deleted records:"
            " `byline audit --against` an anchor says up to where it was whole"
        )
    if undated:
        where = ", ".join(it.place for it in undated[:SHOWN])
        since = iso(max(0, min(it.timestamp for it in undated)))
        said.append(
            f"{len(undated)} events are not judged: they say that they came before --from, and the"
            f" log of that time lists none of them ({where}). They may have been written since:"
            f" `byline audit --from {since}` judges them"
        )
    return said


def moved(breaches: Iterable[Breach]) -> str | None:
    """Returns a sentence on breaches that a move of the cluster explains; None: it explains none.

    In topics that were made anew offsets begin again. The log names the old ones, so that an audit
    holds its decisions against other records.
    """
    first: dict[tuple[str, str], int] = {}
    for it in breaches:
        if it.name == "reads_moved_back":
            where = (it.places[0].partition("@")[0], it.detail.partition(":")[0])
            first[where] = min(it.at, first.get(where, it.at))
    if not first:
        return None
    since = iso(max(first.values()) + EARLIER_MS + SECOND)
    return (
        f"reads_moved_back, first at {iso(min(first.values()))}: a worker read from lower offsets"
        " than before. If the cluster was moved then, or topics were made anew, the log names"
        " offsets of records that are gone, and what is found of before may come from that alone:"
        f" `byline audit --from {since}` judges what came since, the report of before the move what"
        " came before. If not, inputs were read twice"
    )


class _Look:
    """Finds out whether a followed log was read to its end; asks Kafka every LOOK_SECONDS."""

    def __init__(self, reader: Reader, logs: list[TopicPartition], auditor: Auditor) -> None:
        self._reader, self._logs, self._auditor = reader, logs, auditor
        self._ends: dict[Any, int] = {}
        self._instant = 0.0
        self._asked_at = -LOOK_SECONDS

    async def caught_up(self) -> float | None:
        """Returns when (seconds since 1970) Kafka was last asked for the ends, if they are reached.

        None: they are not reached yet, or Kafka does not answer. What an open transaction hides is
        not read: the log is not at its end before that.
        """
        now = asyncio.get_running_loop().time()
        if not self._ends and now - self._asked_at >= LOOK_SECONDS:
            self._asked_at, self._instant = now, time.time()
            self._auditor.mark()
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    self._ends = await self._reader.high_watermarks(self._logs)
        if not self._ends:
            return None
        positions = await self._reader.positions()
        if any(positions.get(it, end) < end for it, end in self._ends.items()):
            return None
        self._ends = {}
        return self._instant


async def _step(
    reader: Reader, auditor: Auditor, log_ends: Mapping[int, int] | None = None
) -> bool:
    """Feeds the next records to the auditor; returns whether there were any.

    `log_ends`: the end offset of the log to stop at, by partition number; None: no end.
    """
    records = await reader.poll()
    for batch in reader.unreadable:
        auditor.cannot_read(*batch)
    reader.unreadable.clear()
    for record in records:
        end = log_ends.get(record.partition) if log_ends is not None else None
        if record.topic != DECISIONS.name or end is None or record.offset < end:
            auditor.feed(record)
    for it, position in (await reader.positions()).items():
        auditor.reached(reader.name(it), it.partition, position)
        end = log_ends.get(it.partition) if log_ends is not None else None
        if reader.name(it) == DECISIONS.name and end is not None and position >= end:
            auditor.end_log(it.partition)
    return bool(records)


async def _read(reader: Reader, auditor: Auditor, ends: Mapping[Any, int], found: Found) -> None:
    """Feeds all records before these end offsets to the auditor.

    Readings that change nothing may lie behind the last record of a partition's log by the million.
    They are read and let go.
    """
    log_ends = {it.partition: end for it, end in ends.items() if reader.name(it) == DECISIONS.name}
    wanted = Ends(ends)
    while not wanted.reached(await reader.positions()):
        await _step(reader, auditor, log_ends)
        found(auditor.breaches())
        reader.pace(partial(_too_many, auditor))


async def _listed_later(
    reader: Reader, auditor: Auditor, ends: Mapping[TopicPartition, int]
) -> set[str]:
    """Returns the ids of events that the log lists from these offsets on.

    Events were read up to a later instant than the log. Each was committed together with its record
    of the log, so the log now lists it, whatever the event itself says of its time. Of a
    span with an end that is the log behind it, to the present. Raises EndHiddenError.
    """
    if not auditor.unlisted_ids():
        return set()
    high = await reader.high_watermarks(list(ends))
    await nothing_hidden(reader._consumer, high)
    reader._consumer.assign(list(ends))
    for it, end in ends.items():
        reader._consumer.seek(it, end)
    listed, wanted = set[str](), Ends(high)
    while not wanted.reached(await reader.positions()):
        for record in await reader.poll():
            plain = logged(record) or {}
            listed |= {str(it.get("event_id")) for it in plain.get("events", ())}
    return listed


def _too_many(auditor: Auditor, topic: str, partition: int) -> bool:
    """Whether a partition's buffer is full, unless the auditor needs more of it to go on."""
    if topic in ASIDE:
        return False
    if auditor.log_ended(partition):
        return False
    full = auditor.buffered(topic, partition) > BUFFERED
    return full and not auditor.waits_for(topic, partition)
