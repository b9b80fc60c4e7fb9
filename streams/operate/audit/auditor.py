"""The whole auditor, without I/O: records go in, breaches come out."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.records import DeadLetter, Settlement
from schemas.topics import DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, POLICIES
from streams.operate.audit import logbook
from streams.operate.audit.chain import CHAIN_BROKEN, AuditedChain
from streams.operate.audit.happened import bare, plain_of
from streams.operate.audit.judging import SWITCHES, Judging
from streams.operate.audit.odd import text
from streams.operate.audit.partition import AuditedPartition
from streams.operate.audit.records import Breach, Record
from streams.operate.audit.replay_order import ORDER
from streams.operate.audit.switches import switch_of
from streams.operate.audit.terms import read_terms

READS = (*INPUTS, *OUTPUTS, DECISIONS, POLICIES, DEAD_LETTERS)
"""The topics that the auditor reads."""
ASIDE = (POLICIES.name, DEAD_LETTERS.name, SWITCHES)
"""Topics whose records have no place in a partition's order. They may be read before all others."""
LETTER_KEY = re.compile(rb"[a-z][a-z0-9-]{1,31}:[A-Za-z0-9._~-]{1,64}|\*:[a-z_]+|[0-9a-f]{64}")
"""The key of a dead letter: that of its record if it is valid, else its digest."""


class Auditor(Judging):
    """Takes the records of every topic, each partition of a topic in order, and returns breaches.

    `whole`: the topics are read from their beginning. Only then is an event of an invitation that
    was never issued a breach. `since` (ms): breaches before this instant are not reported.
    `partition_count` None: the partition of a key is not checked.
    """

    # ---- in ------------------------------------------------------------------------------------

    def feed(self, record: Record) -> None:
        """Takes the next record of any topic in READS; `breaches` judges it later, in order."""
        if record.topic == POLICIES.name:
            self._policy(record)
        elif record.topic == DEAD_LETTERS.name:
            self._dead_letter(record)
        elif record.topic == SWITCHES:
            self._switch(record)
        elif record.topic == DECISIONS.name:
            self._log(record)
        else:
            self._of(record.partition).replay_order.take(record)

    def reached(self, topic: str, partition: int, offset: int) -> None:
        """Notes that all records of this topic's partition below `offset` have been fed.

        The offset of the last record does not show it: transaction markers take offsets too.
        """
        if topic not in ASIDE:
            replay_order = self._of(partition).replay_order
            replay_order.reached[topic] = max(offset, replay_order.reached.get(topic, 0))

    def cannot_read(self, topic: str, partition: int, first: int, last: int, at: int) -> None:
        """Notes a batch that does not unpack or grows too large.

        `first` and `last` are its first and last offset, `at` is its timestamp (ms).
        """
        if topic in ORDER:
            self._of(partition).replay_order.cannot_read(topic, first, last, at)

    def waits_for(self, topic: str, partition: int) -> bool:
        """Returns whether judging needs more of this topic's partition before it can go on."""
        replay_order = self._of(partition).replay_order
        return replay_order.waiting_for == topic or not replay_order.buffered(topic)

    def buffered(self, topic: str, partition: int) -> int:
        """Returns how many records of this topic's partition are read and not yet judged."""
        return self._of(partition).replay_order.buffered(topic)

    def end_log(self, partition: int) -> None:
        """Notes that no more of a partition's log will be fed."""
        self._of(partition).replay_order.end_log()

    def log_ended(self, partition: int) -> bool:
        """Returns whether all of a partition's log is fed and judged."""
        return self._of(partition).replay_order.log_ended

    def mark(self) -> None:
        """Marks the events that are fed and not listed yet. Call it before asking for log ends."""
        for partition in self.partitions.values():
            partition.replay_order.mark()

    def unlisted(self) -> None:
        """Judges marked events that the log does not list, once it is fed up to those ends."""
        for partition in self.partitions.values():
            for thing in partition.replay_order.unlisted():
                self.take(partition, thing)

    def unlisted_ids(self) -> set[str]:
        """Returns the ids of the events that the log fed so far does not list."""
        return set().union(*(it.replay_order.unlisted_ids() for it in self.partitions.values()))

    def cut(self, partitions: Iterable[int]) -> None:
        """Notes the partitions of whose log Kafka has dropped the beginning."""
        for number in partitions:
            self._of(number).replay_order.cut = True

    def continue_from(self, chains: Mapping[int, AuditedChain]) -> None:
        """Takes the chain of each partition's log up to where reading begins, by partition."""
        for number, chain in chains.items():
            self._of(number).chain = chain

    # ---- out -----------------------------------------------------------------------------------

    def breaches(self) -> list[Breach]:
        """Judges every record whose order is known by now; returns the breaches found since."""
        for partition in list(self.partitions.values()):
            partition.replay_order.whole = self.whole
            for thing in partition.replay_order.happened():
                self.take(partition, thing)
        found, self._found = self._found, []
        return [it for it in found if self._is_asked_for(it)]

    def finish(self, listed_later: Collection[str] | None = ()) -> list[Breach]:
        """Judges the rest after the last record was fed; returns the remaining breaches.

        `listed_later`: the ids of events that the log lists behind what was fed; None: not known.
        """
        for partition in self.partitions.values():
            partition.replay_order.complete = True
            partition.replay_order.listed_later = listed_later
        found = self.breaches()
        for number, partition in self.partitions.items():
            self._unsaid(partition, None)
            for platform in self._trips if self.whole else ():
                if self._trips[platform] > self._trips_said[platform]:
                    detail = f"{platform}: {self._trips[platform]} trips in all"
                    at, where = partition.replay_order.last_now, f"decisions[{number}]"
                    self._found.append(Breach("guard_unsaid", "", at, detail, (where,)))
            self._trips.clear()
        return found + self.breaches()

    def _is_asked_for(self, it: Breach) -> bool:
        """Returns whether a breach is of the span: by its time, or by where its records lie.

        A broken chain is one wherever it was read: where nothing was logged since the span began, a
        record that was added to the log and dated back lies before all that begins.
        """
        if self.since is None or not it.at or it.at >= self.since or it.name == CHAIN_BROKEN:
            return True
        return any(self._in_span(place) for place in it.places)

    # ---- the other topics ------------------------------------------------------------------------

    def _log(self, record: Record) -> None:
        partition = self._of(record.partition)
        if partition.replay_order.cut and partition.chain is None:
            self._judged_from(record)
        self._found.extend(partition.link(record, self.whole))
        plain = logbook.logged(record)
        if plain is None:
            partition.replay_order.reached[record.topic] = record.offset + 1
            it = Breach("log_unreadable", "", record.timestamp, "", (record.place,))
            self._found.append(it)
        else:
            partition.replay_order.take(record, plain)

    def _policy(self, record: Record) -> None:
        if record.value is None:
            return
        digest = text(record.key)
        terms = read_terms(record.value)
        if terms is None or hashlib.sha256(record.value).hexdigest() != digest:
            self._found.append(Breach("policy_altered", digest, 0, "", (record.place,)))
        if terms is not None:
            self.policies[digest] = terms

    def _dead_letter(self, record: Record) -> None:
        if "settled" in plain_of(record):
            self._settlement(record)
            return
        try:
            it = DeadLetter.model_validate_json(record.value or b"", strict=True)
        except ValidationError:
            it = None
        if it is None or not LETTER_KEY.fullmatch(record.key or b""):
            wrong = Breach("dead_letter_wrong", "", record.timestamp, "", (record.place,))
            self._found.append(wrong)
        if it is None:
            return
        topic = bare(it.topic)
        self.letters[f"{topic}[{it.partition}]@{it.offset}"] = plain_of(record)
        if it.last_offset is not None:
            where = (topic, it.offset, it.last_offset, int(it.timestamp.timestamp() * 1000))
            self._of(it.partition).replay_order.cannot_read(*where)

    def _settlement(self, record: Record) -> None:
        """Checks a person's settlement of a dead letter: its form, and the form of its key."""
        try:
            Settlement.model_validate_json(record.value or b"", strict=True)
            right = LETTER_KEY.fullmatch(record.key or b"") is not None
        except ValidationError:
            right = False
        if not right:
            wrong = Breach("dead_letter_wrong", "", record.timestamp, "", (record.place,))
            self._found.append(wrong)

    def _switch(self, record: Record) -> None:
        if record.offset in self.switches:
            return
        self.switches[record.offset] = record
        it = switch_of(record)
        if it is not None and it.switch == "refusals_settled" and not it.on:
            self._trips_said[it.scope] += 1

    def _of(self, number: int) -> AuditedPartition:
        if number not in self.partitions:
            self.partitions[number] = AuditedPartition(number)
        return self.partitions[number]


def audit(records: Iterable[Record], **options: Any) -> list[Breach]:
    """Returns every breach in these records. Only each partition of a topic must be in order."""
    auditor = Auditor(**options)
    for record in records:
        auditor.feed(record)
    return auditor.finish()
