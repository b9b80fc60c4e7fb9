"""Opens a partition while it is this worker's, as soon as few enough others are being opened.

Whoever starts a partition's producer fences all others. So it must not start once the partition may
be another worker's: a rebalance can come while this one waits for its turn or for the broker.
"""

import asyncio
from collections.abc import Awaitable, Callable

from streams.engine.context import EngineContext
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import HiddenEndError
from streams.engine.restore import RestoredPartition, restore_partition, start_producer
from streams.log_events import event

AGAIN_SECONDS = 1.0
"""How long to wait after the end of a changelog was hidden."""


class Opening:
    """Opens one partition, and closes what it has opened."""

    def __init__(self, context: EngineContext, number: int) -> None:
        self._context = context
        self._number = number
        self._owned = asyncio.Event()
        self._owned.set()
        self._starting: asyncio.Task[TransactionalProducer] | None = None
        self._to_close: list[Callable[[], Awaitable[None]]] = []
        self._told: tuple[str, int] | None = None

    async def suspend(self) -> None:
        """Starts no producer until `resume`, and gives up a start that is under way."""
        self._owned.clear()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])

    def resume(self) -> None:
        """Goes on after a rebalance in which this worker kept the partition."""
        self._owned.set()

    async def release(self) -> None:
        """Closes the producer and the stores."""
        for close in self._to_close:
            await close()
        self._to_close.clear()

    async def run(self) -> RestoredPartition:
        """Opens the partition. While an open transaction hides its state, it tries again.

        Raises:
            StopWorker: state and topics do not fit together, or the clock is far from right.
        """
        while True:
            await self._owned.wait()
            hidden: HiddenEndError | None = None
            async with self._context.recovery_slots:
                # It may have been taken away during the wait for this place.
                producer = await self._start() if self._owned.is_set() else None
                if producer is not None:
                    try:
                        return await restore_partition(
                            self._context, self._number, producer, self._to_close.append
                        )
                    except HiddenEndError as error:
                        hidden = error
            await self.release()
            if hidden is not None:
                self._tell(hidden)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _start(self) -> TransactionalProducer | None:
        """Starts the producer; None if the partition was taken away meanwhile."""
        work = start_producer(self._context, self._number, self._to_close.append)
        self._starting = asyncio.get_running_loop().create_task(work)
        try:
            return await self._starting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._owned.is_set() or task is None or task.cancelling():
                raise
            return None
        finally:
            self._starting = None

    def _tell(self, hidden: HiddenEndError) -> None:
        """Logs once for each open transaction that the partition waits for it."""
        if self._told != hidden.place:
            self._told = hidden.place
            self._context.log.error(
                "%s. Partition %d is opened when that transaction has ended",
                hidden,
                self._number,
                extra=event("state_hidden"),
            )
