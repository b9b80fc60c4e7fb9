"""What a watchdog has to notice, done to a worker on purpose some seconds after its start.

A forked worker applies one of them by name, like a mutation; but here the engine is whole and has
to end the process by itself.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from streams.engine.worker import Engine

PATIENCE_SECONDS = 8.0
STALL_SECONDS = 20.0


def _later(act: Callable[[Engine], None]) -> None:
    start = Engine.start

    async def started(self: Engine) -> None:
        await start(self)
        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, once_it_reads, self)

    def once_it_reads(engine: Engine) -> None:
        consumer = _consumer(engine)
        if consumer is None or consumer._coordinator is None or consumer._fetcher is None:
            # A machine that is busy: there is nothing to break yet.
            asyncio.get_running_loop().call_later(1.0, once_it_reads, engine)
        else:
            act(engine)

    Engine.start = started  # type: ignore[method-assign]


def _consumer(engine: Engine) -> Any:
    member = engine.member
    return None if member.consumer is None else member.consumer._thread._consumer


def stuck_loop() -> None:
    """The event loop never turns again; heartbeats go on from the consumer's thread.

    The watchdog waits for `STALL_SECONDS` here, which nobody may set in production.
    """
    from streams.engine.watchdog import Watchdog

    run = Watchdog.run

    async def hurried(self: Watchdog) -> None:
        object.__setattr__(self._context.config, "loop_stall_seconds", STALL_SECONDS)
        await run(self)

    Watchdog.run = hurried  # type: ignore[method-assign]
    _later(lambda engine: time.sleep(10_000))


def stalled_fetch() -> None:
    """aiokafka's fetching task ends without a word."""
    _later(lambda engine: _consumer(engine)._fetcher._fetch_task.cancel())


def dead_coordination() -> None:
    """aiokafka's coordination task ends without a word."""
    _later(lambda engine: _consumer(engine)._coordinator._coordination_task.cancel())


def empty_assignment() -> None:
    """The leader assigns nothing to anybody, as one without metadata would."""
    from faust.assignor.partition_assignor import PartitionAssignor

    PartitionAssignor._get_copartitioned_groups = (  # type: ignore[method-assign]
        lambda self, topics, cluster, subscriptions: {}
    )


def last_span_lost() -> None:
    """What is fetched is lost once, and nothing follows that would show the gap."""
    from streams.engine.fetch_queues import FetchQueue

    put = FetchQueue.put
    lost: set[str] = set()

    def losing(self: Any, fetched: Any) -> bool:
        first = fetched.batch.records and f"{self.topic}{self.partition}" not in lost
        if first and self.topic.endswith("follower-counts"):
            lost.add(f"{self.topic}{self.partition}")
            return True
        return put(self, fetched)

    FetchQueue.put = losing  # type: ignore[method-assign]


BREAKAGES: dict[str, Callable[[], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (stuck_loop, stalled_fetch, dead_coordination, empty_assignment, last_span_lost)
}
"""By name."""
