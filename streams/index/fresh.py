"""Computes how old the data of the index is; every answer from the index states it."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from streams.core.model.instants import rfc3339
from streams.index import tables

LATE_MS = 60_000
"""An answer from an index that is older than this warns: its indexer may not be running."""


class Fresh(NamedTuple):
    """The freshness of the index; times in ms.

    `as_of`: the index has every record that Kafka had then; None: it never had all of them.
    `behind`: how many records were still to be read at `written_at`.
    """

    as_of: int | None
    behind: int
    written_at: int

    def late(self, now: int) -> bool:
        """Returns whether the index is more than LATE_MS old at `now` (ms), or never complete."""
        return self.as_of is None or now - self.as_of > LATE_MS

    def text(self, now: int) -> str:
        """Returns a sentence on the freshness at `now` (ms)."""
        if self.as_of is None:
            return (
                f"from the index, which has not yet read all topics: {self.behind:,} records left"
            )
        ago = _length(max(0, now - self.as_of) // 1000)
        late = "; is `byline index --follow` running?" if self.late(now) else ""
        return (
            f"from the index as of {rfc3339(self.as_of)[:19]}Z, {ago} ago,"
            f" {self.behind:,} records behind{late}"
        )

    def as_dict(self) -> dict[str, object]:
        """Returns the fields that a JSON answer from the index begins with."""
        as_of = None if self.as_of is None else rfc3339(self.as_of)
        return {"source": "index", "as_of": as_of, "behind": self.behind}


def _length(seconds: int) -> str:
    """Writes a length of time in one unit, so that a person sees at once whether it is long."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {name}"
    return f"{seconds} s"


def freshness(connection: Connection) -> Fresh:
    """Reads the freshness of the index."""
    found = connection.execute(select(tables.freshness)).one_or_none()
    if found is None:
        return Fresh(None, 0, 0)
    return Fresh(found.as_of, found.behind, found.written_at)
