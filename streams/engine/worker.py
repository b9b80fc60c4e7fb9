"""The engine of one worker process: starts and stops everything, and reports its health."""

import asyncio
import gc
import logging
import sys
from dataclasses import dataclass

from streams.engine.assignment import Assignment
from streams.engine.broadcast import Broadcast
from streams.engine.clock import Clock
from streams.engine.cluster_watch import ClusterWatch
from streams.engine.config import EngineConfig
from streams.engine.context import EngineContext, GroupMember
from streams.engine.disk_faults import raise_file_limit
from streams.engine.failpoints import Failpoints
from streams.engine.fetch_queues import FetchBuffer, QueuedBatch
from streams.engine.high_watermarks import HighWatermarkReader
from streams.engine.lag import LagBook
from streams.engine.library_log import thin_out
from streams.engine.observer import EngineStatus, Observer
from streams.engine.preflight import inspect_cluster
from streams.engine.process_exit import spawn
from streams.engine.processor import Processor
from streams.engine.reach_watch import ReachWatch
from streams.engine.stores import DiskMemory
from streams.engine.watchdog import Watchdog

# After recovery nearly all objects live for good; the collector need not walk them again and again.
GC_THRESHOLDS = (100_000, 20, 100)
# The consumer's thread and the loop take turns on the interpreter. At the default 5 ms each answer
# of the broker may wait that long for its turn, several times a transaction.
SWITCH_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """What there is once the cluster has been checked."""

    context: EngineContext
    assignment: Assignment
    reach: ReachWatch
    watchdog: Watchdog
    tasks: tuple[asyncio.Task[None], ...]
    """What runs beside the partition tasks, for as long as the worker lives."""


class Engine:
    """The engine of a worker. The app starts it first, and stops it before the consumer."""

    def __init__(self, config: EngineConfig, processor: Processor, observer: Observer) -> None:
        if not processor.spec.stores:
            raise ValueError("a processor needs at least one store: it carries the positions")
        self.config = config
        self.processor = processor
        self.observer = observer
        self.clock = Clock(config.clock_jump_seconds)
        self.failpoints = Failpoints(config.failpoint)
        self.buffer = FetchBuffer(config.queue_records, config.queue_bytes)
        self.member = GroupMember()
        self._running: RunningEngine | None = None

    @property
    def running(self) -> RunningEngine:
        """What `start` has made. Raises RuntimeError before that."""
        if self._running is None:
            raise RuntimeError("the engine has not started")
        return self._running

    async def start(self) -> None:
        """Check the cluster, then follow what partitions need. Ends the process when it refuses."""
        spec = self.processor.spec
        _spare_the_interpreter()
        context = await self._make_context()
        watch, watermarks, broadcast = context.watch, context.watermarks, context.broadcast
        await watermarks.start()
        # What a partition does at once waits for no look: the first one comes before it.
        await watch.looked_since(self.clock.now())
        tasks = [
            spawn(watch.run(), "watching the cluster"),
            spawn(watermarks.run(), "asking for ends"),
        ]
        if broadcast is not None:
            tasks.append(spawn(broadcast.run(), f"following {spec.broadcast}"))
        assignment = Assignment(context)
        reach = ReachWatch(context, assignment)
        tasks.append(spawn(reach.run(), "watching the ends"))
        watchdog = Watchdog(context, assignment)
        tasks.append(spawn(watchdog.run(), "watchdog"))
        self._running = RunningEngine(context, assignment, reach, watchdog, tuple(tasks))

    async def _make_context(self) -> EngineContext:
        """Check the cluster, and make what all partitions of the worker share."""
        config, spec = self.config, self.processor.spec
        log = logging.getLogger("streams.engine")
        cluster = await inspect_cluster(config, spec, log)
        raise_file_limit(cluster.partition_count)
        watch = ClusterWatch(config, spec, self.clock, cluster, self._wake_all)
        watermarks = HighWatermarkReader(config, self.clock, spec.topics, spec.broadcast, watch)
        watch.ends = watermarks.of
        broadcast = None
        if spec.broadcast is not None:
            broadcast = Broadcast(config, spec.broadcast, self._wake_all)
        return EngineContext(
            config=config,
            processor=self.processor,
            observer=self.observer,
            log=log,
            clock=self.clock,
            failpoints=self.failpoints,
            buffer=self.buffer,
            member=self.member,
            cluster=cluster,
            watch=watch,
            watermarks=watermarks,
            broadcast=broadcast,
            lags=LagBook(),
            disk_memory=DiskMemory.of(config.block_cache_bytes, config.write_buffer_bytes),
            commit_slots=asyncio.Semaphore(config.concurrent_commits),
            recovery_slots=asyncio.Semaphore(config.concurrent_recoveries),
            on_restored=self._freeze_restored,
        )

    async def stop(self) -> None:
        """Commit and let go of everything; the consumer leaves afterwards."""
        running = self._running
        if running is None:
            return
        running.watchdog.stop_within(self.config.stop_budget_seconds)
        await running.assignment.stop()
        for task in running.tasks:
            task.cancel()
        await asyncio.wait(running.tasks)

    def route(self, fetched: QueuedBatch) -> None:
        """Hand a batch to the partition task that asked for it; nobody's batch is dropped."""
        task = self.running.assignment.tasks.get(fetched.queue.partition)
        if task is not None:
            task.receive(fetched)

    def _freeze_restored(self) -> None:
        """Exclude the restored state from garbage collection, after the last recovery.

        What was frozen before and has left since is let go of first.
        """
        tasks = self.running.assignment.tasks.values()
        if all(task.state != "recovering" for task in tasks):
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _wake_all(self) -> None:
        if self._running is not None:
            for task in self._running.assignment.tasks.values():
                task.wake()

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that are read, the broadcast topic first."""
        spec = self.processor.spec
        return spec.topics if spec.broadcast is None else (spec.broadcast, *spec.topics)

    def status(self) -> EngineStatus:
        """For the health page; call it on the event loop."""
        if self._running is None:
            return EngineStatus(False, False, False, -1, ())
        assignment, reach = self._running.assignment, self._running.reach
        watch, lags = self._running.context.watch, self._running.context.lags
        tasks = [task for _, task in sorted(assignment.tasks.items())]
        statuses = tuple(task.status() for task in tasks)
        ready = assignment.settled and all(one.state == "running" for one in statuses)
        inputs = [task.input_queue for task in tasks]
        return EngineStatus(
            ready=ready and not assignment.stopping and not reach.blocked and not watch.away,
            assignment_settled=assignment.settled,
            stopping=assignment.stopping,
            generation=assignment.generation,
            partitions=statuses,
            cluster_changed=watch.changed,
            blocked=tuple(f"{topic}[{number}]" for topic, number in sorted(reach.blocked)),
            away_seconds=watch.away_seconds,
            ousted=self.member.ousted,
            lags=lags.by_topic(self.inputs, inputs, self.clock.now()),
            hiding=tuple(one for _, one in sorted(reach.hiding.items())),
        )


def _spare_the_interpreter() -> None:
    """Set what the interpreter spends on switching, collecting and logging."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # What was imported lives for good. Records begin to come in before the last partition is
    # open, and each of them would count towards walking all that again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # Below this aiokafka logs keys and values.
    library = logging.getLogger("aiokafka")
    library.setLevel(max(logging.INFO, library.getEffectiveLevel()))
    thin_out()
