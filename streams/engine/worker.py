"""The engine of one worker process: what its partition tasks share, and what its health is."""

import asyncio
import gc
import logging
import sys
from typing import Any

from streams.engine.assignment import Assignment
from streams.engine.broadcast import Broadcast
from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.disk_faults import raise_file_limit
from streams.engine.failpoints import Failpoints
from streams.engine.fetch_queues import FetchBuffer, FetchQueue, QueuedBatch
from streams.engine.high_watermarks import HighWatermarkReader
from streams.engine.library_log import thin_out
from streams.engine.observer import EngineStatus, Observer
from streams.engine.preflight import Cluster, inspect_cluster
from streams.engine.process_exit import spawn
from streams.engine.processor import Processor
from streams.engine.reach_watch import ReachWatch
from streams.engine.stores import DiskMemory, PartitionStores
from streams.engine.watchdog import Watchdog

# After recovery nearly all objects live for good; the collector need not walk them again and again.
GC_THRESHOLDS = (100_000, 20, 100)
# The consumer's thread and the loop take turns on the interpreter. At the default 5 ms each answer
# of the broker may wait that long for its turn, several times a transaction.
SWITCH_SECONDS = 0.001


class Engine:
    """Made before the loop runs, started with the app, stopped before its consumer."""

    consumer: Any

    def __init__(self, config: EngineConfig, processor: Processor, observer: Observer) -> None:
        if not processor.spec.stores:
            raise ValueError("a processor needs at least one store: it carries the positions")
        self.log = logging.getLogger("streams.engine")
        self.config = config
        self.processor = processor
        self.observer = observer
        self.clock = Clock(config.clock_jump_seconds)
        self.failpoints = Failpoints(config.failpoint)
        self.buffer = FetchBuffer(config.queue_records, config.queue_bytes)
        self.broadcast: Broadcast | None = None
        self.cluster: Cluster
        self.watch: ClusterWatch
        self.reach: ReachWatch
        self.ousted = False
        """Another worker has our instance id: this one stays out of the group."""
        self._disk_memory = DiskMemory.of(config.block_cache_bytes, config.write_buffer_bytes)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Check the cluster, then follow what partitions need. Ends the process when it refuses."""
        config, spec = self.config, self.processor.spec
        sys.setswitchinterval(SWITCH_SECONDS)
        # What was imported lives for good. Records begin to come in before the last partition is
        # open, and each of them would count towards walking all that again.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        # Below this aiokafka logs keys and values.
        library = logging.getLogger("aiokafka")
        library.setLevel(max(logging.INFO, library.getEffectiveLevel()))
        thin_out()
        self.assignment = Assignment(self)
        self.commit_slots = asyncio.Semaphore(config.concurrent_commits)
        self.recovery_slots = asyncio.Semaphore(config.concurrent_recoveries)
        self.cluster = await inspect_cluster(config, spec, self.log)
        raise_file_limit(self.cluster.partition_count)
        self.watch = ClusterWatch(config, spec, self.clock, self.cluster, self._wake_all)
        self.ends = HighWatermarkReader(config, self.clock, spec.topics, spec.broadcast, self.watch)
        self.watch.ends = self.ends.of
        await self.ends.start()
        # What a partition does at once waits for no look: the first one comes before it.
        await self.watch.looked_since(self.clock.now())
        self._tasks.append(spawn(self.watch.run(), "watching the cluster"))
        self._tasks.append(spawn(self.ends.run(), "asking for ends"))
        if spec.broadcast is not None:
            self.broadcast = Broadcast(config, spec.broadcast, self._wake_all)
            self._tasks.append(spawn(self.broadcast.run(), f"following {spec.broadcast}"))
        self.reach = ReachWatch(self)
        self._tasks.append(spawn(self.reach.run(), "watching the ends"))
        self.watchdog = Watchdog(self)
        self._tasks.append(spawn(self.watchdog.run(), "watchdog"))

    async def stop(self) -> None:
        """Commit and let go of everything; the consumer leaves afterwards."""
        if not hasattr(self, "watchdog"):
            return
        self.watchdog.stop_within(self.config.stop_budget_seconds)
        await self.assignment.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def route(self, fetched: QueuedBatch) -> None:
        """Hand a batch to the partition task that asked for it; nobody's batch is dropped."""
        task = self.assignment.tasks.get(fetched.queue.partition)
        if task is not None:
            task.receive(fetched)

    async def seek(self, queues: list[FetchQueue]) -> None:
        """Position the consumer at the start of each queue and serve them."""
        await self.consumer._thread.seek_queues(queues)

    def open_stores(self, partition: int) -> PartitionStores:
        """The partition's tables on this machine's disk."""
        config, spec = self.config, self.processor.spec
        stores = "+".join(store.name for store in spec.stores)
        return PartitionStores(
            config.data_dir / "state" / f"partition-{partition}",
            spec.stores,
            f"{self.cluster.cluster_id}/{config.application_id}/{partition}/{stores}",
            self._disk_memory,
        )

    def partition_ready(self) -> None:
        """After the last recovery the state is frozen for the garbage collector.

        What was frozen before and has left since is let go of first.
        """
        if all(other.state != "recovering" for other in self.assignment.tasks.values()):
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _wake_all(self) -> None:
        for task in self.assignment.tasks.values():
            task.wake()

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that are read, the broadcast topic first."""
        spec = self.processor.spec
        return spec.topics if spec.broadcast is None else (spec.broadcast, *spec.topics)

    def status(self) -> EngineStatus:
        """For the health page; call it on the event loop."""
        if not hasattr(self, "watchdog"):
            return EngineStatus(False, False, False, -1, ())
        assignment, watch = self.assignment, self.watch
        statuses = tuple(task.status() for _, task in sorted(assignment.tasks.items()))
        ready = assignment.settled and all(one.state == "running" for one in statuses)
        return EngineStatus(
            ready=ready and not assignment.stopping and not self.reach.blocked and not watch.away,
            assignment_settled=assignment.settled,
            stopping=assignment.stopping,
            generation=assignment.generation,
            partitions=statuses,
            cluster_changed=watch.changed,
            blocked=tuple(f"{topic}[{number}]" for topic, number in sorted(self.reach.blocked)),
            away_seconds=watch.away_seconds,
            ousted=self.ousted,
            lags=self.reach.lags.by_topic(self.inputs, assignment.tasks.values(), self.clock.now()),
            hiding=tuple(one for _, one in sorted(self.reach.hiding.items())),
        )
