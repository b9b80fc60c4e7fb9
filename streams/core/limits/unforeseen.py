"""Keeps which parts of a stop were not known in time, because its record states an earlier time.

A switch stops the answer windows from the time that its record states, if that is earlier than its
entry (when the record was appended to Kafka). A worker without delay has let a deadline between the
two pass by then; one that slept reads the record first, and must not take the silence of the owner
for time to answer (rules/lateness.py). Instants are milliseconds UTC.
"""

from collections.abc import Iterable

from streams.core.model.instants import Stop, merge, without

Unforeseen = tuple[int, int, int]
"""A part of a stop, from and until, and the entry of the record that made it known."""

MOST_UNFORESEEN = 64
"""How many such parts are kept: the newest."""


def note(kept: list[Unforeseen], since: int, entry: int, known: Iterable[Stop]) -> None:
    """Keeps the part before its entry of a stop that begins; `known`: the stops before it."""
    if entry <= since:
        return
    cover = [(start, entry if end is None else end) for start, end in merge(known)]
    for start, end in without([(since, entry)], cover):
        if end is not None:
            kept.append((start, end, entry))
    del kept[:-MOST_UNFORESEEN]


def foreseen(stops: Iterable[Stop], unforeseen: Iterable[Unforeseen]) -> list[Stop]:
    """Returns the stops without the parts that were not known in time."""
    return without(merge(stops), [(since, until) for since, until, _ in unforeseen])
