"""Whether the cluster has changed under the worker, and since when.

schemas/CONTRACT.md, "Deferring" and "Guarantees".

From the transaction that notes it nothing adverse is decided and the clock of answers stands still,
until the first transaction after the next start.
"""

from msgspec import Struct, field

from streams.core.model.instants import Stop, add_stop

CLUSTER = b"#cluster"
"""The reserved key under which a partition keeps it."""

MOST_STOPS = 1000
"""So many past stretches are kept; where there are more, the shortest gap counts as stopped."""


class Cluster(Struct, array_like=True):
    """What a partition knows of changes of the cluster; instants are milliseconds UTC.

    `since`: from when it is seen to have changed, None while it is not. `past`: ended stretches.
    """

    since: int | None = None
    past: list[tuple[int, int]] = field(default_factory=list)

    def change(self, now: int) -> bool:
        """Note that the cluster has changed; False when that is known."""
        if self.since is not None:
            return False
        self.since = now
        return True

    def restart(self, now: int) -> bool:
        """The partition is opened anew; True when a stretch ends with that."""
        if self.since is None:
            return False
        if now > self.since:
            add_stop(self.past, self.since, now, MOST_STOPS)
        self.since = None
        return True

    def stops(self) -> list[Stop]:
        """When the clock of the answer stood still; the last may be open."""
        stops: list[Stop] = [*self.past]
        return stops if self.since is None else [*stops, (self.since, None)]
