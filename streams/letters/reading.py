"""Reads the dead letters, and whether each is settled (redriven or dismissed by a person)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from schemas.topics import DEAD_LETTERS
from streams.core.inputs.letters import UNKNOWN, refused_reason, refused_topic
from streams.core.inputs.plain import UNREADABLE
from streams.core.model.instants import rfc3339
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.audit.records import Record, millis
from streams.operate.errors import UsageError
from streams.settings import Settings

UNREADABLE_BATCH = "unreadable_batch"


class NoLetterError(UsageError):
    """No dead letter speaks of the place that somebody named."""


class Origin(NamedTuple):
    """The place of a refused record. `topic` is without prefix; UNKNOWN: it is none of an input."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Letter(NamedTuple):
    """A dead letter.

    `key` and `partition` are those of the letter itself. `settled`: `redriven`, `dismissed` or
    None. `digest_key`: the name of the `ID_KEY` under which `digest` is an HMAC; None: `digest` is
    a plain SHA-256.
    """

    origin: Origin
    key: bytes
    partition: int
    reason: str
    field: str | None
    digest: str | None
    size: int
    refused_at: str
    last_offset: int | None
    settled: str | None = None
    digest_key: str | None = None

    @property
    def named(self) -> bool:
        """Whether it names an input. What anybody forged may not: then it can only be dismissed."""
        return self.origin.topic != UNKNOWN

    @property
    def platform(self) -> str | None:
        """The platform in the letter's key; None if the key is a digest."""
        name, colon, _ = self.key.decode(errors="replace").partition(":")
        return name if colon else None


class _Read(Struct):
    topic: str
    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    reason: str | None = None
    field: str | None = None
    value_digest: str | None = None
    digest_key: str | None = None
    value_bytes: int = 0
    refused_at: str = ""
    last_offset: int | None = None
    settled: Literal["redriven", "dismissed"] | None = None


_decoder = msgspec.json.Decoder(_Read)


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects dead letters. None means any. Times are milliseconds UTC; `end` is exclusive.

    `unknown`: with a platform, also those whose platform is not known, for they may be of it.
    """

    platform: str | None = None
    topic: str | None = None
    reason: str | None = None
    start: int | None = None
    end: int | None = None
    origins: frozenset[Origin] = frozenset()
    unknown: bool = False

    @property
    def _platforms(self) -> tuple[str | None, ...]:
        return (self.platform, None) if self.unknown else (self.platform,)

    def takes(self, it: Letter) -> bool:
        """Whether the filter selects a letter."""
        if self.origins and it.origin not in self.origins:
            return False
        if self.platform is not None and it.platform not in self._platforms:
            return False
        if self.topic is not None and it.origin.topic != self.topic:
            return False
        if self.reason is not None and it.reason != self.reason:
            return False
        at = millis(it.refused_at)
        return not (
            (self.start is not None and at < self.start)
            or (self.end is not None and at >= self.end)
        )


@dataclass(slots=True)
class Letters:
    """The dead letters by the place of their refused record.

    Feed it all records of the topic of dead letters, each partition in order.
    """

    prefix: str
    _letters: dict[Origin, Letter] = field(default_factory=dict)

    def feed(self, record: Record) -> None:
        """Takes a letter or a mark; other records are ignored here, and reported by the auditor."""
        try:
            it = _decoder.decode(record.value or b"")
        except UNREADABLE:
            return
        origin = Origin(refused_topic(it.topic, self.prefix), it.partition, it.offset)
        if it.settled is not None:
            known = self._letters.get(origin)
            if known is not None:
                self._letters[origin] = known._replace(settled=it.settled)
        elif it.reason is not None:
            self._letters[origin] = Letter(
                origin,
                record.key or b"",
                record.partition,
                refused_reason(it.reason),
                it.field,
                it.value_digest,
                it.value_bytes,
                _time_of(it.refused_at, record),
                it.last_offset,
                digest_key=it.digest_key,
            )

    def get(self, origin: Origin) -> Letter | None:
        """Returns the letter of a refused record, or None."""
        return self._letters.get(origin)

    def matching(self, wanted: Filter) -> list[Letter]:
        """Returns the letters that a filter selects, ordered by place of the refused record."""
        return sorted(it for it in self._letters.values() if wanted.takes(it))

    def unsettled(self, platform: str | None) -> str | None:
        """Says which letters nobody has settled yet; None: there are none.

        `platform`: None is all of them.
        """
        found = self.matching(Filter(platform, unknown=True))
        known = Counter(it.platform is None for it in found if it.settled is None)
        return unseen(platform, known[False], known[True])


def unseen(platform: str | None, known: int, unknown: int) -> str | None:
    """Says that nobody has seen to letters, `unknown` of them of no known platform; None: to all.

    `platform`: None is all of them.
    """
    if not known + unknown:
        return None
    of, only = ("", "") if platform is None else (f" of {platform}", f" --platform {platform}")
    return (
        f"nobody has seen to {known:,} refused records{of}, and to {unknown:,} whose platform is"
        f" not known: `byline dead-letters list{only}`"
    )


def _time_of(text: str, record: Record) -> str:
    """Returns when a letter says that it was written; the record's own time if it says none."""
    try:
        millis(text)
    except (ValueError, OverflowError):
        return rfc3339(record.timestamp)
    return text


async def read_letters(client: TolerantConsumer, settings: Settings) -> Letters:
    """Reads all dead letters up to the topic's present end.

    Raises:
        UsageError: the topic is missing.
    """
    letters = Letters(settings.topic_prefix)
    try:
        async for record in read_to_end(client, settings.topic_prefix, [DEAD_LETTERS.name]):
            letters.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return letters


def origin_of(text: str) -> Origin:
    """Parses a place like `controls[3]@17`.

    Raises:
        UsageError: the text has another form.
    """
    topic, bracket, rest = text.partition("[")
    partition, at, offset = rest.partition("]@")
    if not (bracket and at and partition.isdecimal() and offset.isdecimal()):
        raise UsageError(f"{text} is no place of a record: write it as in controls[3]@17")
    return Origin(topic, int(partition), int(offset))


def origins_of(texts: Iterable[str]) -> frozenset[Origin]:
    """Parses several places. Raises UsageError like `origin_of`."""
    return frozenset(map(origin_of, texts))
