"""Says whether workers have read the sent records, and which accounts an undo would skip."""

import json
from collections.abc import Collection
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from schemas.topics import DEAD_LETTERS
from streams.console.orders import CONTROLS, SWITCHES, Wish
from streams.index import tables
from streams.index.chunks import chunks
from streams.index.states import POSITION, reserved
from streams.operate.audit.records import Record
from streams.operate.bulk import UndoPlan, undo_plan


class Progress(NamedTuple):
    """In how many partitions the workers have read it, of how many; what the index shows."""

    done: int
    partitions: int

    @property
    def complete(self) -> bool:
        """Whether every partition has read it."""
        return self.done == self.partitions


def progress(
    connection: Connection, topic: str, ends: dict[int, int], everywhere: bool
) -> Progress:
    """Compares the workers' stored positions with the ends of what was sent.

    `topic`: its full name. `ends`: by partition, the offset after the last record. `everywhere`:
    each partition reads partition 0 of the topic, as it does of switches.
    """
    states = tables.states
    stored = {
        it.partition: _position(bytes(it.value), topic)
        for it in connection.execute(select(states).where(reserved(connection, [POSITION])))
    }
    wanted = dict.fromkeys(stored, ends.get(0, 0)) if everywhere else ends
    done = sum(stored.get(partition, -1) >= end for partition, end in wanted.items())
    return Progress(done, len(wanted))


def _position(value: bytes, topic: str) -> int:
    try:
        return int(msgspec.json.decode(value)["next"].get(topic, -1))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError):
        return -1


class TurnedSince(NamedTuple):
    """Who turned a switch after an order had, and whether on."""

    on: bool
    actor: str


def turned_since(connection: Connection, wish: Wish, end: int) -> TurnedSince | None:
    """Returns who turned the switch of an order last since it was sent; None: nobody.

    `end`: the offset after the order's own record.
    """
    words, letters = tables.words, tables.letters
    refused = select(letters.c.origin_offset).where(letters.c.topic == SWITCHES)
    mine = select(words.c.value).where(
        words.c.topic == SWITCHES,
        words.c.partition == 0,
        words.c.offset >= end,
        words.c.word == wish.word,
        words.c.offset.not_in(refused),
    )
    for value in connection.scalars(mine.order_by(words.c.offset.desc())):
        said = json.loads(value)
        if said.get("scope") == wish.scope:
            return TurnedSince(bool(said.get("on")), str(said.get("actor", "")))
    return None


def undoing(
    connection: Connection, accounts: tuple[str, ...], control_ids: Collection[str], now: int
) -> UndoPlan | None:
    """Plans how to undo holds, as `byline control undo` does, from the index.

    None: the index does not have these controls yet.
    """
    words, letters = tables.words, tables.letters
    records = []
    origin = (letters.c.topic, letters.c.origin_partition, letters.c.origin_offset)
    for topic, partition, offset in connection.execute(
        select(*origin).where(letters.c.topic == CONTROLS)
    ):
        said = {"topic": topic, "partition": partition, "offset": offset}
        place = (DEAD_LETTERS.name, partition, offset, 0)
        records.append(Record(*place, None, json.dumps(said).encode()))
    order = (words.c.partition, words.c.offset)
    for some in chunks(accounts):
        mine = words.c.account.in_(some)
        asked = select(words).where(words.c.topic == CONTROLS, mine).order_by(*order)
        for it in connection.execute(asked):
            place = (CONTROLS, it.partition, it.offset, it.entered_at)
            records.append(Record(*place, it.account.encode(), it.value.encode()))
    return undo_plan(records, lambda it: it.control_id in control_ids, now)
