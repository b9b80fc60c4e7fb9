"""The engine of one worker process: starts and stops its parts, and reports its health."""

import asyncio
import gc
import logging
import sys
import time
from dataclasses import dataclass

from streams.engine.assignment import Assignment
from streams.engine.broadcast import Broadcast
from streams.engine.broker_clock import BrokerClock
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
from streams.engine.spans import Spans
from streams.engine.stores import DiskMemory
from streams.engine.watchdog import Watchdog

# After recovery nearly all objects live until the end, so the collector should rarely visit them.
GC_THRESHOLDS = (100_000, 20, 100)
# The consumer's thread and the event loop share the interpreter lock. With the default switch
# interval of 5 ms each broker response may wait that long, several times per transaction.
SWITCH_SECONDS = 0.001
# How long the last spans may take to be sent, at a clean stop and at a crash.
SPANS_SECONDS = 1.0
FIRST_LOOK_SECONDS = 10.0
"""How long partitions wait to be opened for the first look at the cluster. Without one adverse
timers wait, so a worker goes on for what is favourable."""


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """The parts of an engine that has started."""

    context: EngineContext
    assignment: Assignment
    reach: ReachWatch
    watchdog: Watchdog
    tasks: tuple[asyncio.Task[None], ...]
    """The tasks besides the partition tasks, which run until the worker stops."""


class Engine:
    """The engine of a worker. The app starts it before the consumer, and stops it before that.

    Raises:
        ValueError: the processor has no store, which the checkpoint needs.
    """

    def __init__(
        self,
        config: EngineConfig,
        processor: Processor,
        observer: Observer,
        spans: Spans | None = None,
    ) -> None:
        if not processor.spec.stores:
            raise ValueError("a processor needs at least one store: it carries the positions")
        self.config = config
        self.processor = processor
        self.observer = observer
        self.spans = spans
        self.clock = Clock(config.clock_jump_seconds)
        self.failpoints = Failpoints(config.failpoint)
        self.buffer = FetchBuffer(config.queue_records, config.queue_bytes)
        self.member = GroupMember()
        self._running: RunningEngine | None = None

    @property
    def running(self) -> RunningEngine:
        """The parts that `start` made.

        Raises:
            RuntimeError: the engine has not started.
        """
        if self._running is None:
            raise RuntimeError("the engine has not started")
        return self._running

    async def start(self) -> None:
        """Checks the cluster, then starts the tasks that all partitions need.

        Raises:
            StopWorker: the worker must not start on this cluster.
        """
        spec = self.processor.spec
        _spare_the_interpreter()
        context = await self._make_context()
        watch, watermarks, broadcast = context.watch, context.watermarks, context.broadcast
        await watermarks.start()
        await _look_first(watch, self.clock.now())
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
        """Checks the cluster, and makes the objects that all partitions share."""
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
            broker_clock=BrokerClock(config, self.clock, watermarks.marked_at),
            broadcast=broadcast,
            lags=LagBook(),
            disk_memory=DiskMemory.of(config.block_cache_bytes, config.write_buffer_bytes),
            commit_slots=asyncio.Semaphore(config.concurrent_commits),
            recovery_slots=asyncio.Semaphore(config.concurrent_recoveries),
            on_change=self._freeze_state,
            spans=self.spans,
        )

    async def stop(self) -> None:
        """Commits and closes all partitions; the consumer leaves the group afterwards."""
        running = self._running
        if running is None:
            return
        running.watchdog.stop_within(self.config.stop_budget_seconds)
        await running.assignment.stop()
        for task in running.tasks:
            task.cancel()
        await asyncio.wait(running.tasks)
        if self.spans is not None:
            await asyncio.to_thread(self.spans.close, SPANS_SECONDS)

    def route(self, fetched: QueuedBatch) -> None:
        """Passes a batch to its partition task; without such a task the batch is dropped."""
        task = self.running.assignment.tasks.get(fetched.queue.partition)
        if task is not None:
            task.receive(fetched)

    def _freeze_state(self) -> None:
        """Excludes the state from garbage collection, unless a partition is still being restored.

        What was frozen earlier and is no longer used is freed first: after a hand-over that is what
        the partitions that left had opened.
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
        """All input topics, the broadcast topic first."""
        spec = self.processor.spec
        return spec.topics if spec.broadcast is None else (spec.broadcast, *spec.topics)

    def status(self) -> EngineStatus:
        """Returns the health of the worker. It must be called on the event loop."""
        if self._running is None:
            return EngineStatus(False, False, False, -1, ())
        assignment, reach = self._running.assignment, self._running.reach
        context = self._running.context
        watch, lags, memory = context.watch, context.lags, context.disk_memory
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
            cluster_changed=watch.holding,
            blocked=tuple(f"{topic}[{number}]" for topic, number in sorted(reach.blocked)),
            away_seconds=watch.away_seconds,
            ousted=self.member.ousted,
            lags=lags.by_topic(self.inputs, inputs, self.clock.now()),
            hiding=tuple(one for _, one in sorted(reach.hiding.items())),
            write_buffer_bytes=memory.write_buffers.get_usage(),
            block_cache_bytes=memory.cache.get_usage(),
        )


async def _look_first(watch: ClusterWatch, since: int) -> None:
    """Waits for a look that began at `since` or later, at most `FIRST_LOOK_SECONDS`.

    Partitions decide at once when they open, so the first look must come before that.
    """
    until = time.monotonic() + FIRST_LOOK_SECONDS
    while not await watch.looked_since(since) and time.monotonic() < until:
        pass


def _spare_the_interpreter() -> None:
    """Reduces what the interpreter spends on thread switches, garbage collection and logging."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # Imported modules live until the end, so the collector should not visit them while records
    # come in.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    # At lower levels aiokafka logs keys and values.
    library = logging.getLogger("aiokafka")
    library.setLevel(max(logging.INFO, library.getEffectiveLevel()))
    thin_out()
