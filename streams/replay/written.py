"""Compares the output topics of one partition with what replay sends, record by record."""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.events import TRACEPARENT
from schemas.topics import DEAD_LETTERS, DECISIONS, OUTPUTS
from streams.core.inputs.letters import without_cure
from streams.core.inputs.plain import UNREADABLE
from streams.replay.records import (
    Difference,
    DifferentError,
    RecordsGoneError,
    RecordSource,
    ReplayedRecord,
    in_words,
)

EVENTS = frozenset(topic.name for topic in OUTPUTS)
COMPARED = (*OUTPUTS, DEAD_LETTERS)
"""The topics that workers write beside the log, each under the partition's own number."""


class Digest:
    """The SHA-256 of events, in the order in which the core sends them."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.count = 0

    def take(self, it: ReplayedRecord) -> None:
        """Adds an event: topic, key and value, each after its length in four bytes."""
        self.count += 1
        for part in (it.topic.encode(), it.key or b"", it.value or b""):
            self._sha.update(len(part).to_bytes(4, "big") + part)

    def text(self) -> str:
        """Returns the digest in hex."""
        return self._sha.hexdigest()


class ReplayWritten:
    """The outputs of one partition, read in order and compared.

    `sources`: by topic name without prefix. `account`: the key of an account whose events have a
    digest of their own, `of_account`.
    """

    def __init__(
        self,
        partition: int,
        sources: Mapping[str, RecordSource],
        full_name: Callable[[str], str],
        account: bytes | None = None,
    ) -> None:
        self.events, self.of_account = Digest(), Digest()
        self.dead_letters = 0
        self.trips: Counter[bytes] = Counter()
        """What the refusal guard sends to the topic of switches, to which all partitions write."""
        self._partition = partition
        self._sources = sources
        self._full_name = full_name
        self.account = account

    async def compare(self, sent: Sequence[ReplayedRecord]) -> None:
        """Compares what a transaction sent with the next records of each topic.

        Raises DifferentError at the first record that differs, RecordsGoneError if it may differ
        only because the beginning of its topic was deleted.
        """
        for it in sent:
            if it.topic == "switches":
                self.trips[it.value or b""] += 1
            elif it.topic != DECISIONS.name:
                await self._one(it)

    async def finish(self) -> None:
        """Checks that the topics have no further records. Raises DifferentError."""
        for topic, source in self._sources.items():
            more = await self._next(topic, source.left)
            if more is not None:
                raise self._different(topic, more, None, "replay has no such record")

    async def _one(self, it: ReplayedRecord) -> None:
        if it.topic in EVENTS:
            self.events.take(it)
            if it.key == self.account:
                self.of_account.take(it)
        else:
            self.dead_letters += 1
        source = self._sources.get(it.topic)
        if source is None:
            return
        found = await self._next(it.topic, source.later)
        alike = found is not None and found.key == it.key and _same_value(it, found.value)
        if not alike and source.begin > 0:
            raise RecordsGoneError(
                f"{self._full_name(it.topic)}[{self._partition}]: offsets 0 to {source.begin - 1}"
                " are not there any more"
            )
        if found is None:
            raise self._different(it.topic, None, it, "it is missing")
        if not alike:
            raise self._different(it.topic, found, it, "replay has another record")
        headers = dict(found.headers)
        # It names the trace of the worker's own transaction, of which a replay knows nothing.
        headers.pop(TRACEPARENT, None)
        if headers != dict(it.headers):
            raise self._different(it.topic, found, it, "its headers differ")

    async def _next(self, topic: str, take: Callable[[], Awaitable[Any]]) -> Any | None:
        while True:
            found = await take()
            if found is None or topic != DEAD_LETTERS.name or not _is_mark(found.value):
                return found

    def _different(
        self, topic: str, found: Any | None, it: ReplayedRecord | None, why: str
    ) -> DifferentError:
        return DifferentError(
            Difference(
                self._full_name(topic),
                self._partition,
                None if found is None else found.offset,
                why,
                None if found is None else in_words(found.value),
                None if it is None else in_words(it.value),
            )
        )


def _same_value(it: ReplayedRecord, value: bytes | None) -> bool:
    """Returns whether the recorded value is what replay sends, byte for byte.

    A dead letter may lack its cure: it is text for people, and older workers wrote none.
    """
    if value == it.value:
        return True
    return it.topic == DEAD_LETTERS.name and value == without_cure(it.value or b"{}")


def _is_mark(value: bytes | None) -> bool:
    """Returns whether a dead-letter record is a person's settlement of a dead letter."""
    try:
        return "settled" in msgspec.json.decode(value or b"{}")
    except (*UNREADABLE, TypeError):
        return False
