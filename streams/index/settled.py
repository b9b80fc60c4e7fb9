"""Keeps of each dead letter whether a person has settled it, and the sums of open ones.

A settlement speaks of the place of the refused record, and may be read before the letter itself:
they lie in different partitions.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, select, update

from streams.index import tables
from streams.index.chunks import chunks
from streams.index.rows import Rows
from streams.index.sums import OPEN, SumKey, letter_key

_LETTER = {it.name: number for number, it in enumerate(tables.letters.columns)}
_SETTLEMENT = {it.name: number for number, it in enumerate(tables.settlements.columns)}
_ORIGIN = ("topic", "origin_partition", "origin_offset")


def keep(connection: Connection, rows: Rows) -> Counter[SumKey]:
    """Marks the settled ones of letters that were just written, and of settlements.

    Returns by how much the sums of open letters change.
    """
    found: Counter[SumKey] = Counter()
    for row in rows.letters:
        found[letter_key(OPEN, *(row[_LETTER[name]] for name in _PARTS))] += 1
    letters = tables.letters
    for mine in _origins(rows):
        now_settled = and_(mine, ~letters.c.settled, has_settlement())
        columns = select(*(letters.c[name] for name in _PARTS)).where(now_settled)
        done = connection.execute(columns).all()
        if done:
            found.subtract(letter_key(OPEN, *it) for it in done)
            connection.execute(update(letters).where(now_settled).values(settled=True))
    return found


_PARTS = ("refused_at", "platform", "topic", "reason")


def _origins(rows: Rows) -> Iterator[ColumnElement[bool]]:
    """Yields conditions of the letters that new rows are, or speak of."""
    letters = tables.letters.c
    places: dict[tuple[str, int], set[int]] = defaultdict(set)
    for its, columns in ((rows.letters, _LETTER), (rows.settlements, _SETTLEMENT)):
        for row in its:
            topic, partition, offset = (row[columns[name]] for name in _ORIGIN)
            places[topic, partition].add(offset)
    for (topic, partition), offsets in sorted(places.items()):
        for some in chunks(sorted(offsets)):
            its_offset = letters.origin_offset.in_(some)
            yield and_(letters.topic == topic, letters.origin_partition == partition, its_offset)


def has_settlement() -> ColumnElement[bool]:
    """Returns the condition that a settlement speaks of a letter."""
    letters, settlements = tables.letters.c, tables.settlements.c
    return exists().where(and_(*(settlements[name] == letters[name] for name in _ORIGIN)))


def recount(connection: Connection) -> None:
    """Marks all letters anew, from the settlements."""
    values: dict[str, Any] = {"settled": has_settlement()}
    connection.execute(update(tables.letters).values(values))
