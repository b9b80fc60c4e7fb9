"""Opens, suspends and closes the partition tasks of this worker at rebalances.

It is called from the consumer's rebalance callbacks, because Faust's own signals may come after the
first batch. aiokafka only logs an error in such a callback, so errors end the process here.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from streams.engine.context import EngineContext
from streams.engine.partition_task import PartitionTask
from streams.engine.process_exit import end_on, end_process
from streams.log_events import event


class Assignment:
    """The partition tasks of this worker, with the group's generation.

    `settled`: no rebalance is running. `stopping`: the worker shuts down.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self.tasks: dict[int, PartitionTask] = {}
        self.generation = -1
        self.settled = False
        self.stopping = False
        self._changing = asyncio.Lock()

    async def revoked(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Commits and suspends all partition tasks until the next assignment."""
        try:
            self.settled = False
            await self._suspend_all(self._context.config.revoke_budget_seconds)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end_on(error, "handing partitions over")

    async def assigned(self, partitions: Iterable[tuple[str, int]], generation: int) -> None:
        """Resumes kept partition tasks, closes lost ones, and starts new ones.

        Returns before new partitions are open.
        """
        try:
            async with self._changing:
                await self._assigned(set(partitions), generation)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end_on(error, "taking partitions over")

    async def _assigned(self, partitions: set[tuple[str, int]], generation: int) -> None:
        if self.stopping:
            return
        topics = self._context.processor.spec.topics
        # Partitions that were added later are not used: keys map to other partitions there.
        count = self._context.cluster.partition_count
        numbers = {number for topic, number in partitions if topic in topics and number < count}
        for number in numbers:
            if any((topic, number) not in partitions for topic in topics):
                # A static member gets the same assignment again, unless it leaves the group.
                with suppress(Exception):
                    await self._context.member.leave()
                end_process(
                    f"partition {number} was not assigned for all topics: {sorted(partitions)}"
                )
        # In a missed generation another worker may have owned a partition that seems to be kept.
        kept = numbers if generation <= self.generation + 1 else set()
        # Closing a producer waits for the broker, which may be down.
        async with asyncio.timeout(self._context.config.revoke_budget_seconds):
            lost = [number for number in self.tasks if number not in kept]
            for number in lost:
                await self.tasks.pop(number).close()
        if self.stopping:
            return
        self.generation = generation
        self.settled = True
        self._context.observer.assigned(frozenset(numbers))
        self._context.log.info(
            "generation %d: partitions %s",
            generation,
            sorted(numbers),
            extra=event("partitions_assigned"),
        )
        for number in sorted(numbers):
            task = self.tasks.get(number)
            if task is None:
                self.tasks[number] = PartitionTask(self._context, number)
            else:
                task.resume()
        if lost:
            self._context.on_change()

    async def stop(self) -> None:
        """Commits what has been applied, and closes all partition tasks."""
        self.stopping = True
        try:
            async with self._changing:
                await self._suspend_all(self._context.config.stop_budget_seconds)
                for task in self.tasks.values():
                    await task.close()
                self.tasks.clear()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            end_on(error, "stopping")

    async def _suspend_all(self, budget_seconds: float) -> None:
        if not self.tasks:
            return
        suspending = [asyncio.ensure_future(task.suspend()) for task in self.tasks.values()]
        _, late = await asyncio.wait(suspending, timeout=budget_seconds)
        if late:
            end_process(
                f"{len(late)} partitions did not come to rest within {budget_seconds:.0f} s"
            )
