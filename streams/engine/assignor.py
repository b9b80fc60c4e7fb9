"""Faust's assignor with the partition count that was checked at the start.

Faust's own assignor uses the group leader's metadata. If a topic is missing there for a moment, or
has added partitions, it assigns a partition number without one of its topics, or one with other
keys. The broker keeps such an assignment for a static member that restarts. So this assignor uses
the partition count of the start.

Faust also lets everybody keep what they have up to the rounded-up share: beside two workers with
two of four partitions each, or 16 with 16 each, a new worker would get none. `FairShares` gives it
the rounded-down share, and moves no other partition.
"""

from collections.abc import MutableMapping
from typing import Any

from faust.assignor import partition_assignor
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from faust.assignor.partition_assignor import PartitionAssignor


class FairShares(CopartitionedAssignor):  # type: ignore[misc]
    """Faust's distribution, in which afterwards nobody has less than the rounded-down share."""

    def get_assignment(self) -> MutableMapping[str, CopartitionedAssignment]:
        """Returns the partition numbers of each member; few more than necessary move."""
        found: MutableMapping[str, CopartitionedAssignment] = super().get_assignment()
        members = [found[name] for name in sorted(found)]
        for poor in members:
            while len(poor.actives) < self.min_capacity:
                rich = max(members, key=lambda member: len(member.actives))
                number = max(rich.actives)
                rich.actives.remove(number)
                poor.standbys.discard(number)
                poor.actives.add(number)
        return found


# Faust makes its distribution by this name, and has no setting for another one.
partition_assignor.CopartitionedAssignor = FairShares


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
