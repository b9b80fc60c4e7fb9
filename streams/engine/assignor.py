"""Faust's assignor with the partition count that was checked at the start.

It asks the leader's metadata, and groups topics by what that says. Metadata that lacks a topic for
a moment, or shows partitions that were added to some, makes it hand out what fits nobody: a
partition number without one of its topics, or one that holds other keys. The broker keeps such an
assignment for a static member that comes back. What was checked at the start is the truth here.
"""

from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor


class _Fixed:
    """Cluster metadata in which every topic has the same number of partitions."""

    def __init__(self, partition_count: int) -> None:
        self._partitions = set(range(partition_count))

    def partitions_for_topic(self, topic: str) -> set[int]:
        """All of them, whatever the leader knows at this moment."""
        return set(self._partitions)


class FixedAssignor(PartitionAssignor):  # type: ignore[misc]
    """Distributes the partition numbers of the start. All topics have the same ones."""

    def _assign(self, cluster: Any, member_metadata: Any) -> Any:
        count = self.app.engine.running.context.cluster.partition_count
        return super()._assign(_Fixed(count), member_metadata)
