"""Counts from the published events what would be lost with the state of some partitions."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.topics import OUTPUTS
from streams.operate.audit.reading import read_to_end
from streams.operate.audit.records import Record
from streams.operate.clients import consumer
from streams.settings import Settings

_CLOSES = frozenset({"invitation.cancelled", "consent.granted"})
_ENDS_CONSENT = frozenset({"consent.withdrawn", "consent.voided"})


@dataclass(frozen=True, slots=True)
class Losses:
    """What the lost state of these partitions contained, by the events.

    `accounts`: all that ever had an event. `restrictions`: restricted surfaces; each ends by itself
    at its `expires_at`, the last of them at `last_expires_at` (RFC 3339).
    """

    partitions: tuple[int, ...]
    accounts: int
    open_invitations: int
    consents: int
    restrictions: int
    last_expires_at: str | None


@dataclass(slots=True)
class _Known:
    sequence: int = 0
    invited: bool = False
    consents: bool = False
    surfaces: dict[str, str] = field(default_factory=dict)

    def take(self, event: dict[str, object]) -> None:
        name = str(event["event"])
        if name == "invitation.issued":
            self.invited, self.consents = True, False
        self.invited = self.invited and name not in _CLOSES
        self.consents = (self.consents or name == "consent.granted") and name not in _ENDS_CONSENT
        if name == "throttle.applied":
            self.surfaces[str(event["surface"])] = str(event["expires_at"])
        elif name == "throttle.lifted":
            self.surfaces.pop(str(event["surface"]), None)


async def losses(settings: Settings, partitions: frozenset[int]) -> Losses:
    """Reads the live events of these partitions and counts them; shadow events restrict nobody.

    Raises KafkaAbsentError, MissingTopicsError, NoRightError, EndHiddenError.
    """
    names = [topic.name for topic in OUTPUTS if not topic.name.startswith("shadow.")]
    records: list[Record] = []
    async with consumer(settings) as client:
        async for record in read_to_end(client, settings.topic_prefix, names):
            if record.partition in partitions:
                records.append(record)
    return count(records, partitions)


def count(records: Iterable[Record], partitions: frozenset[int]) -> Losses:
    """Counts events that come in any order; `sequence` gives the order of an account's events."""
    events = [json.loads(record.value) for record in records if record.value]
    events.sort(key=lambda event: int(event["sequence"]))
    known: dict[str, _Known] = {}
    for event in events:
        key = f"{event['platform']}:{event['account_id']}"
        known.setdefault(key, _Known()).take(event)
    ends = [at for one in known.values() for at in one.surfaces.values()]
    return Losses(
        tuple(sorted(partitions)),
        len(known),
        sum(one.invited for one in known.values()),
        sum(one.consents for one in known.values()),
        len(ends),
        max(ends, default=None),
    )
