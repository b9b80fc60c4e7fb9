"""Keeps whether the Kafka cluster has changed under the worker, and since when.

schemas/CONTRACT.md, "Deferring" and "Guarantees".

From the transaction that notes a change, no adverse event is decided and the answer windows of
owners stand still, until the first transaction after the partition is opened again. That time is
called a stop of the clock (model/instants.py).
"""

from msgspec import Struct, field

from streams.core.model.instants import Stop, add_stop

CLUSTER = b"#cluster"
"""The reserved key under which a partition keeps its `ClusterChange`."""

MOST_STOPS = 1000
"""How many past stops are kept. If there are more, the two with the shortest gap become one."""


class ClusterChange(Struct, array_like=True):
    """What a partition knows about changes of the cluster. Instants are milliseconds UTC.

    `since`: when the present change was seen, None if there is none. `past`: stops that have ended,
    as start and end.
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
        """Notes that the partition is opened again. Returns True if that ends a stop."""
        if self.since is None:
            return False
        if now > self.since:
            add_stop(self.past, self.since, now, MOST_STOPS)
        self.since = None
        return True

    def stops(self) -> list[Stop]:
        """Returns the stops of the answer windows; the end of the last one may be open (None)."""
        stops: list[Stop] = [*self.past]
        return stops if self.since is None else [*stops, (self.since, None)]
