"""Reads and filters events from the output topics, up to their present ends or as they come."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.enums import Event
from schemas.topics import OUTPUTS
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.happened import plain_of
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.audit.records import Record, millis
from streams.operate.errors import EndHiddenError
from streams.operate.send import in_use, partition_of
from streams.settings import Settings

NAMES = tuple(topic.name for topic in OUTPUTS)
_DETAILS = ("surface", "level", "phase", "line", "deadline_at", "delivered_at", "expires_at")
"""The fields, beside the common ones, that a printed line shows if the event has them."""


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """A filter of events; None and empty match all.

    `account`: `platform:account_id`. `start`, `end`: ms since 1970, by `decided_at`; `end` is
    excluded.
    """

    account: str | None = None
    platform: str | None = None
    types: frozenset[Event] = frozenset()
    start: int | None = None
    end: int | None = None

    def takes(self, record: Record, event: Mapping[str, Any]) -> bool:
        """Returns whether a record of an output topic, with its parsed `event`, matches."""
        key = (record.key or b"").decode(errors="replace")
        if self.account is not None and key != self.account:
            return False
        if self.platform is not None and event.get("platform") != self.platform:
            return False
        if self.types and event.get("event") not in self.types:
            return False
        return self._in_time(event)

    def _in_time(self, event: Mapping[str, Any]) -> bool:
        if self.start is None and self.end is None:
            return "event" in event
        try:
            at = millis(str(event["decided_at"]))
        except (KeyError, ValueError):
            return False
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)


def types_of(words: Iterable[str]) -> frozenset[Event]:
    """Returns the events that words such as `invitation.issued`, `issued` or `throttle` name.

    Raises ValueError, with the word, if one names no event.
    """
    found: set[Event] = set()
    for word in words:
        named = {it for it in Event if word in (it.value, *it.value.split("."))}
        if not named:
            raise ValueError(word)
        found |= named
    return frozenset(found)


async def events(
    client: TolerantConsumer, settings: Settings, wanted: WantedEvents
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields the matching events up to the present ends of the topics.

    Those of one account are sorted by their order; of several, each topic partition is in order.
    Raises MissingTopicsError, NoRightError; EndHiddenError after all that can be read was yielded.
    """
    account = wanted.account

    def holds(partition: int, partitions: int) -> bool:
        count = in_use(settings, partitions)
        return account is None or partition == partition_of(account.encode(), count)

    read = read_to_end(
        client, settings.topic_prefix, NAMES, start=wanted.start, end=wanted.end, holds=holds
    )
    kept: list[Mapping[str, Any]] = []
    hidden: EndHiddenError | None = None
    try:
        async for record in read:
            event = plain_of(record)
            if not wanted.takes(record, event):
                continue
            if account is None:
                yield event
            else:
                kept.append(event)
    except EndHiddenError as error:
        hidden = error
    for event in sorted(kept, key=_order):
        yield event
    if hidden is not None:
        raise hidden


async def follow(
    client: TolerantConsumer,
    settings: Settings,
    wanted: WantedEvents,
    now: int,
    stopping: asyncio.Event,
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields the matching events from `wanted.start`, else from `now` (ms) on, as they are written.

    It ends when `stopping` is set. Each topic partition is in order. Raises MissingTopicsError,
    NoRightError.
    """
    reader = Reader(client, settings.topic_prefix)
    await reader.find(NAMES)
    groups = [reader.of(name) for name in NAMES]
    account = wanted.account
    partitions = [
        it
        for group in groups
        for it in group
        if account is None
        or it.partition == partition_of(account.encode(), in_use(settings, len(group)))
    ]
    await reader.seek(partitions, now if wanted.start is None else max(wanted.start, 0))
    while not stopping.is_set():
        for record in await reader.poll():
            event = plain_of(record)
            if wanted.takes(record, event):
                yield event


def _order(event: Mapping[str, Any]) -> tuple[str, str, int]:
    return (
        str(event.get("decided_at")),
        str(event.get("mode")),
        int(event.get("sequence") or 0),
    )


def line_of(event: Mapping[str, Any]) -> str:
    """Writes an event as one line: time, account, event, reason, cycle, details, id."""
    account = f"{event.get('platform')}:{event.get('account_id')}"
    shadow = " (shadow)" if event.get("mode") == "shadow" else ""
    details = " ".join(f"{name}={event[name]}" for name in _DETAILS if event.get(name) is not None)
    words = (
        str(event.get("decided_at")),
        f"{account:<24}",
        f"{str(event.get('event')) + shadow:<24}",
        str(event.get("reason")),
        f"cycle={event.get('cycle')}",
        details,
        f"id={event.get('event_id')}",
    )
    return "  ".join(word for word in words if word)
