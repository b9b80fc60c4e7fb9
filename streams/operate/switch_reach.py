"""What a brake covers, what it changes, and when every partition has obeyed it.

All of it is asked after the brake was sent: a brake waits for no reading.
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
from streams.core.model.account import decode_account
from streams.kafka.consumer import TolerantConsumer
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.audit.records import Record, iso, stamp
from streams.operate.in_force import SwitchesInForce
from streams.settings import Settings

POSITION_KEY = b"#next"
"""Under it each partition writes how far it has read every input, with each transaction."""
SWITCHES = "switches"
LOOKED_BACK = 100
"""Offsets before the end of a changelog in which its last position lies, markers among them."""


class CoveredBySwitch(NamedTuple):
    """Accounts of a scope: whose state is kept, those with an open invitation, those restricted."""

    tracked: int
    invited: int
    restricted: int


async def covered(client: TolerantConsumer, settings: Settings, scope: str) -> CoveredBySwitch:
    """Count the accounts that a switch of this scope is for, as the workers know them."""
    prefix = b"" if scope == EVERYWHERE else f"{scope}:".encode()
    known: dict[bytes, tuple[bool, bool]] = {}
    async for record in read_to_end(client, f"{settings.application_id}-", [CHANGELOG]):
        key = record.key
        if key is None or key[:1] in (b"#", b"~") or not key.startswith(prefix):
            continue
        if record.value is None:
            known.pop(key, None)
            continue
        life = decode_account(record.value).live
        known[key] = (life.state in OPEN, life.cycle is not None and bool(life.cycle.throttles))
    invited = sum(is_open for is_open, _ in known.values())
    return CoveredBySwitch(
        len(known), invited, sum(is_restricted for _, is_restricted in known.values())
    )


async def pulled_before(
    client: TolerantConsumer, settings: Settings, offset: int | None
) -> list[SwitchChange]:
    """The brakes that were on before the record at `offset` of the switches; None: that are now."""
    levers = SwitchesInForce()
    names = [SWITCHES, DEAD_LETTERS.name]
    async for record in read_to_end(client, settings.topic_prefix, names):
        if record.topic != SWITCHES or offset is None or record.offset < offset:
            levers.feed(record)
    return levers.brakes()[1]


def without_effect(
    scope: str, switch: Switch, on: bool, before: Iterable[SwitchChange]
) -> Iterator[str]:
    """What of turning a switch changes nothing, or leaves something on that may be overlooked."""
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
    """How many partitions there are, those that have not read the switch yet, and the wait."""

    partitions: int
    waiting: tuple[int, ...]
    seconds: float


async def obeyed(
    client: TolerantConsumer, settings: Settings, offset: int, within_seconds: float
) -> Obeyed:
    """Wait until every partition has read what lies before `offset` of the switches.

    A position ends each transaction's records in the changelog: of a partition at rest it is the
    last thing there, one at work writes another soon.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, topic = Reader(client, f"{settings.application_id}-"), settings.topic_prefix + SWITCHES
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
    """How far a partition has read a topic, of a record that says so; else -1."""
    if record.key != POSITION_KEY or record.value is None:
        return -1
    try:
        return int(msgspec.json.decode(record.value)["next"].get(topic, -1))
    except (ValueError, KeyError, TypeError, AttributeError):
        return -1
