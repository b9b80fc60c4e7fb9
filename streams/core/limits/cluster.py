"""Whether the cluster has changed under the worker, and since when.

schemas/CONTRACT.md, "Deferring" and "Guarantees".

From the transaction that notes a change nothing adverse is decided, and the clock of answers stands
still, until the first transaction after the next start.
"""

from msgspec import Struct, field

from streams.core.model.instants import Stop, add_stop

CLUSTER = b"#cluster"
"""The reserved key under which a partition keeps this."""

MOST_STOPS = 1000
"""How many past stretches are kept. If there are more, the shortest gap counts as stopped."""


class ClusterChange(Struct, array_like=True):
    """What a partition knows about changes of the cluster. Instants are milliseconds UTC.

    `since`: when the change was seen, None if there is none. `past`: stretches that have ended.
    """

    since: int | None = None
    past: list[tuple[int, int]] = field(default_factory=list)

    def change(self, now: int) -> bool:
        """Notes that the cluster has changed. Returns False if that is already known."""
        if self.since is not None:
            return False
        self.since = now
        return True

    def restart(self, now: int) -> bool:
        """The partition is opened anew. Returns True if that ends a stretch."""
        if self.since is None:
            return False
        if now > self.since:
            add_stop(self.past, self.since, now, MOST_STOPS)
        self.since = None
        return True

    def stops(self) -> list[Stop]:
        """The stretches in which the clock of the answer stood still; the last one may be open."""
        stops: list[Stop] = [*self.past]
        return stops if self.since is None else [*stops, (self.since, None)]
