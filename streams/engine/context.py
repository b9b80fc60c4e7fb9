"""The objects that all parts of a worker share; made once, before the worker joins its group."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streams.engine.broadcast import Broadcast
from streams.engine.broker_clock import BrokerClock
from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.failpoints import Failpoints
from streams.engine.fetch_queues import FetchBuffer, FetchQueue
from streams.engine.high_watermarks import HighWatermarkReader
from streams.engine.lag import LagBook
from streams.engine.observer import Observer
from streams.engine.preflight import KnownCluster
from streams.engine.processor import Processor
from streams.engine.spans import Spans
from streams.engine.stores import DiskMemory, PartitionStores


@dataclass(slots=True)
class GroupMember:
    """The consumer and the membership of this worker in its group."""

    consumer: Any = None
    """Faust's consumer, whose thread owns aiokafka's consumer; None until Faust has made it."""
    ousted: bool = False
    """Another worker has the same instance id, so this one does not join the group."""

    async def seek(self, queues: list[FetchQueue]) -> None:
        """Seeks the consumer to the start of each queue, and starts to fill the queues."""
        await self.consumer._thread.seek_queues(queues)

    async def leave(self) -> None:
        """Leaves the group, so that its partitions are assigned to others at once."""
        await self.consumer._thread.leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """Settings, cluster, watches and limits that all partitions of a worker share."""

    config: EngineConfig
    processor: Processor
    observer: Observer
    log: logging.Logger
    clock: Clock
    failpoints: Failpoints
    buffer: FetchBuffer
    member: GroupMember
    cluster: KnownCluster
    """As it was when the worker started."""
    watch: ClusterWatch
    watermarks: HighWatermarkReader
    broker_clock: BrokerClock
    broadcast: Broadcast | None
    lags: LagBook
    disk_memory: DiskMemory
    commit_slots: asyncio.Semaphore
    recovery_slots: asyncio.Semaphore
    on_change: Callable[[], None]
    """Called when a partition is restored and begins to process, and when partitions have left."""
    spans: Spans | None = None
    """Traces of transactions; None: there are none."""

    def open_stores(self, partition: int) -> PartitionStores:
        """Opens the tables of a partition on this machine's disk."""
        config, spec = self.config, self.processor.spec
        stores = "+".join(store.name for store in spec.stores)
        return PartitionStores(
            config.data_dir / "state" / f"partition-{partition}",
            spec.stores,
            f"{self.cluster.cluster_id}/{config.application_id}/{partition}/{stores}",
            self.disk_memory,
        )
