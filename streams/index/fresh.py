"""Computes how old the data of the index is; every answer from the index states it.

`freshness.as_of` is the mark of a whole index. It is none from the first write of an index, or of a
rebuild, until all that Kafka had was read once, however often the indexer is killed meanwhile.
"""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from streams.core.model.instants import rfc3339
from streams.index import tables
from streams.index.errors import UnreadFault

LATE_MS = 60_000
"""An answer from an index that is older than this warns: its indexer may not be running."""


class Fresh(NamedTuple):
    """The freshness of the index; times in ms.

    `as_of`: the index has every record that Kafka had then; None: it never had all of them.
    `behind`: how many records were still to be read at `written_at`. `read`: how many were read
    since it was made or rebuilt.
    """

    as_of: int | None
    behind: int
    written_at: int
    read: int = 0

    def late(self, now: int) -> bool:
        """Returns whether the index is more than LATE_MS old at `now` (ms), or never complete."""
        return self.as_of is None or now - self.as_of > LATE_MS

    def text(self, now: int) -> str:
        """Returns a sentence on the freshness at `now` (ms)."""
        if self.as_of is None:
            return f"from the index, which has not yet read all topics: {self.progress()}"
        ago = _length(max(0, now - self.as_of) // 1000)
        says = (
            f"from the index as of {rfc3339(self.as_of)[:19]}Z, {ago} ago,"
            f" {self.behind:,} records behind"
        )
        if not self.late(now):
            return says
        looked = _length(max(0, now - self.written_at) // 1000)
        return (
            f"{says} when it last looked, {looked} ago: what came since is missing; is `byline"
            " index --follow` running?"
        )

    def progress(self) -> str:
        """Returns in words how much was read, of an index that has never read all."""
        if not self.read + self.behind:
            return "nothing was read into it"
        return (
            f"{self.behind:,} records left when it last looked, {self.read:,} of"
            f" {self.read + self.behind:,} read"
        )

    def as_dict(self) -> dict[str, object]:
        """Returns the fields that a JSON answer from the index begins with."""
        return {
            "source": "index",
            "as_of": None if self.as_of is None else rfc3339(self.as_of),
            "behind": self.behind,
            "behind_at": rfc3339(self.written_at) if self.written_at else None,
        }


def _length(seconds: int) -> str:
    """Writes a length of time in one unit, so that a person sees at once whether it is long."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {name}"
    return f"{seconds} s"


def freshness(connection: Connection) -> Fresh:
    """Reads the freshness of the index."""
    found = connection.execute(select(tables.freshness)).one_or_none()
    if found is not None and found.as_of is not None:
        return Fresh(found.as_of, found.behind, found.written_at)
    it = tables.positions.c
    read = int(connection.scalar(select(func.sum(it.next_offset - it.first_offset))) or 0)
    if found is None:
        return Fresh(None, 0, 0, read)
    return Fresh(None, found.behind, found.written_at, read)


def whole(connection: Connection) -> Fresh:
    """Reads the freshness of an index whose numbers may be told.

    Raises UnreadFault if the index has never read all topics since it was made or rebuilt.
    """
    fresh = freshness(connection)
    if fresh.as_of is None:
        raise UnreadFault(
            f"the index has not yet read all topics ({fresh.progress()}), so its numbers would be"
            " too low: wait for `byline index`, or run it: it goes on where it stopped"
        )
    return fresh
