"""Finds which accounts a switch covers, what it changes, and which partitions have obeyed it.

`byline switch` sends the switch first and reads all this afterwards, so that nothing delays it.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from schemas.enums import Switch
from schemas.inputs import SwitchChange
from schemas.topics import DEAD_LETTERS
from streams.core.lifecycle import OPEN
from streams.core.limits.switches import EVERYWHERE
from streams.kafka.consumer import TolerantConsumer
from streams.operate.account_states import CHANGELOG, AccountReader
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.audit.records import Record, iso, stamp
from streams.operate.in_force import SwitchesInForce
from streams.settings import Settings

POSITION_KEY = b"#next"
"""The changelog key under which a partition stores, in each transaction, its input positions."""
SWITCHES = "switches"
LOOKED_BACK = 100
"""How many offsets before the end of a changelog to look for its last stored position."""


class CoveredBySwitch(NamedTuple):
    """Numbers of accounts: with stored state, with an open invitation, with a restriction."""

    tracked: int
    invited: int
    restricted: int


async def covered(client: TolerantConsumer, settings: Settings, scope: str) -> CoveredBySwitch:
    """Counts the accounts that a switch of this scope (a platform, or `*`) covers.

    It reads the workers' state. Raises MissingTopicsError, NoRightError, EndHiddenError,
    UnreadableStateError.
    """
    prefix = b"" if scope == EVERYWHERE else f"{scope}:".encode()
    known: dict[bytes, tuple[bool, bool]] = {}
    reader = AccountReader()
    async for record in read_to_end(client, f"{settings.application_id}-", [CHANGELOG]):
        key = record.key
        if key is None or key[:1] in (b"#", b"~") or not key.startswith(prefix):
            continue
        account = reader.read(record)
        if account is None:
            known.pop(key, None)
            continue
        life = account.live
        known[key] = (life.state in OPEN, life.cycle is not None and bool(life.cycle.throttles))
    reader.check()
    invited = sum(is_open for is_open, _ in known.values())
    return CoveredBySwitch(
        len(known), invited, sum(is_restricted for _, is_restricted in known.values())
    )


async def pulled_before(
    client: TolerantConsumer, settings: Settings, offset: int | None
) -> list[SwitchChange]:
    """Returns the switches in force before the record at `offset` of the switches; None: now.

    Raises MissingTopicsError, NoRightError, EndHiddenError.
    """
    levers = SwitchesInForce()
    names = [SWITCHES, DEAD_LETTERS.name]
    async for record in read_to_end(client, settings.topic_prefix, names):
        if record.topic != SWITCHES or offset is None or record.offset < offset:
            levers.feed(record)
    return levers.brakes()[1]


def without_effect(
    scope: str, switch: Switch, on: bool, before: Iterable[SwitchChange]
) -> Iterator[str]:
    """Yields a warning if turning a switch changes nothing, or if a similar one stays on.

    `before`: the switches in force before.
    """
    there = {(it.scope, it.switch): it for it in before}
    known = there.get((scope, switch))
    if switch is Switch.REFUSALS_SETTLED:
        trips = [it for (where, what), it in there.items() if what is switch]
        if on and scope != EVERYWHERE and not any(it.scope in (scope, EVERYWHERE) for it in trips):
            yield f"no refusal guard of {scope} was tripped: nothing changes"
        elif on and not trips:
            yield "no refusal guard was tripped: nothing changes"
        return
    if on and known is not None:
        yield f"it was on already, since {_since(known)}: nothing changes"
    if on and known is None and scope != EVERYWHERE and (everywhere := there.get(("*", switch))):
        yield f"it was on for all already, since {_since(everywhere)}"
    if on:
        return
    if known is None:
        yield f"it was not on for {scope}: nothing changes"
    for (where, what), it in sorted(there.items()):
        if what is switch and where != scope and EVERYWHERE in (where, scope):
            yield f"it is still on for {where}, since {_since(it)}"


def _since(change: SwitchChange) -> str:
    return f"{iso(stamp(change.issued_at))} by {change.actor}"


@dataclass(frozen=True, slots=True)
class Obeyed:
    """The number of partitions, those that have not read the switch yet, and the seconds waited."""

    partitions: int
    waiting: tuple[int, ...]
    seconds: float


async def obeyed(
    client: TolerantConsumer, settings: Settings, offset: int, within_seconds: float
) -> Obeyed:
    """Waits until every partition has read the switches up to `offset`, at most `within_seconds`.

    Partitions that are not in use (PARTITIONS) have no worker and are not waited for.
    Each transaction ends with the partition's positions in the changelog. So the last positions of
    an idle partition are at the end of its changelog, and a busy one writes new ones soon.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader = Reader(client, f"{settings.application_id}-", settings.partitions)
    topic = settings.topic_prefix + SWITCHES
    await reader.find([CHANGELOG])
    partitions = reader.of(CHANGELOG)
    begins = await client.beginning_offsets(partitions)
    ends = await reader.ends(partitions)
    client.assign(partitions)
    for it in partitions:
        client.seek(it, max(begins[it], ends[it] - LOOKED_BACK))
    waiting = {it.partition for it in partitions}
    while waiting and loop.time() - began < within_seconds:
        for record in await reader.poll(200):
            if _position(record, topic) >= offset:
                waiting.discard(record.partition)
    return Obeyed(len(partitions), tuple(sorted(waiting)), loop.time() - began)


def _position(record: Record, topic: str) -> int:
    """Returns the position in a topic that a changelog record stores; -1 if it stores none."""
    if record.key != POSITION_KEY or record.value is None:
        return -1
    try:
        return int(msgspec.json.decode(record.value)["next"].get(topic, -1))
    except (ValueError, KeyError, TypeError, AttributeError):
        return -1
