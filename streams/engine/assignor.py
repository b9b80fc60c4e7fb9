"""Faust's assignor with the partition count that was checked at the start.

Faust's own assignor uses the group leader's metadata. If a topic is missing there for a moment, or
has added partitions, it assigns a partition number without one of its topics, or one with other
keys. The broker keeps such an assignment for a static member that restarts. So this assignor uses
the partition count of the start.
"""

from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor


class _Fixed:
    """Cluster metadata in which every topic has the same number of partitions."""

    def __init__(self, partition_count: int) -> None:
        self._partitions = set(range(partition_count))

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Returns the same partition numbers for every topic."""
        return set(self._partitions)


class FixedAssignor(PartitionAssignor):  # type: ignore[misc]
    """Distributes the partition numbers that were counted at the start."""

    def _assign(self, cluster: Any, member_metadata: Any) -> Any:
        count = self.app.engine.running.context.cluster.partition_count
        return super()._assign(_Fixed(count), member_metadata)
