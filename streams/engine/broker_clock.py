"""Compares this machine's clock with the brokers', without which deadlines could pass early.

Kafka has no request for its time that a worker's rights allow. But the leader of a partition dates
the marker that ends a transaction by its own clock, and it tells that date (KIP-664). So after a
commit the worker asks for it. If the marker bears an earlier time than this machine had before the
commit, this machine is ahead, by at least the difference, however slow the network is.

One of the two clocks is then wrong, and nobody knows which. So adverse timers wait, favourable ones
act. A clock that is behind makes everything late, which harms nobody.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition
from aiokafka.errors import InvalidTimestampError, KafkaError

from streams.engine.clock import FAR_SECONDS, Clock, utc
from streams.engine.config import EngineConfig
from streams.engine.continuity import MEANWHILE
from streams.engine.process_exit import spawn
from streams.engine.producer import TransactionalProducer
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

CLOCK_KEY = b"#clock"
"""The key of the tombstone that a worker's first transaction writes; it changes no state."""
DAY_MS = 86_400_000
ASK_SECONDS = 2.0
ASK_AGAIN_SECONDS = 0.02
EVERY_SECONDS = 60.0
"""How often clocks are compared while transactions are written."""
VALID_SECONDS = 600.0
"""How long the result of a comparison counts."""
DOUBT_SECONDS = 10.0
"""How often clocks are compared while they disagree, or while nobody has told the broker's time."""

logger = logging.getLogger(__name__)
Asked = Callable[[TopicPartition, int], Awaitable[int | None]]


class BrokerClock:
    """The comparison of one worker's clock with the brokers'.

    `marked_at` returns the time of the marker that ended a producer's last transaction in a
    partition, milliseconds UTC; None while that is not written.
    """

    def __init__(self, config: EngineConfig, clock: Clock, marked_at: Asked) -> None:
        self._config = config
        self._clock = clock
        self._marked_at = marked_at
        self._first = asyncio.Lock()
        self._begun = False
        self._tried_at = self._compared_at = -math.inf
        self._ahead_seconds = 0.0
        self._told = False
        self._asking: asyncio.Task[None] | None = None

    @property
    def agrees(self) -> bool:
        """Whether a recent comparison found that this machine's clock is not ahead."""
        recent = time.monotonic() - self._compared_at < VALID_SECONDS
        return recent and self._ahead_seconds <= self._config.clock_jump_seconds

    @property
    def wanted(self) -> bool:
        """Whether a transaction has to be written now, so that the clocks can be compared."""
        return not self.agrees and time.monotonic() - self._tried_at >= DOUBT_SECONDS

    async def begin(self, producer: TransactionalProducer, place: TopicPartition) -> None:
        """Compares before the first decision of this worker, by a transaction that changes nothing.

        The first partition does it, and the others wait for that. `place`: a changelog's partition.

        Raises:
            StopWorker: this machine is so far ahead that its times must not get into the state.
        """
        async with self._first:
            if self._begun:
                return
            before = self._clock.now()
            limit = self._config.transaction_timeout_seconds
            try:
                async with asyncio.timeout(limit):
                    await self._write(producer, place, before)
            except TimeoutError as error:
                raise TimeoutError(f"a transaction did not end within {limit:.0f} s") from error
            await self._compare(producer.producer_id, place, before)
            if self._ahead_seconds > FAR_SECONDS and not self._config.favourable_only:
                raise StopWorker(
                    f"{self._sentence(before)}. Set the clock that is wrong, and start again; "
                    f"{MEANWHILE}",
                    ExitCode.PERSON,
                )
            self._begun = True

    async def _write(
        self, producer: TransactionalProducer, place: TopicPartition, before: int
    ) -> None:
        """Writes a transaction that changes nothing.

        Its record is dated a day back, because brokers refuse one that is an hour ahead of theirs.

        Raises:
            StopWorker: they refuse it.
        """
        await producer.begin_transaction()
        try:
            await producer.send_and_wait(
                place.topic, None, CLOCK_KEY, place.partition, timestamp_ms=before - DAY_MS
            )
        except InvalidTimestampError as error:
            raise StopWorker(
                f"this machine's clock says {utc(before)}, and the broker's differs by more than "
                "a day: it takes no record that is dated a day before. Set the clock that is "
                "wrong, and start again",
                ExitCode.PERSON,
            ) from error
        await producer.commit_transaction()

    def committed(
        self, producer: TransactionalProducer, place: TopicPartition, before: int
    ) -> None:
        """Compares once more if it is time to, after a commit in `place` that began at `before`.

        `before`: the clock's time, milliseconds UTC.
        """
        pause = EVERY_SECONDS if self.agrees else DOUBT_SECONDS
        if self._asking is None and time.monotonic() - self._tried_at >= pause:
            work = self._compare(producer.producer_id, place, before)
            self._asking = spawn(work, "comparing clocks")
            self._asking.add_done_callback(self._asked)

    def _asked(self, _: "asyncio.Task[None]") -> None:
        self._asking = None

    async def _compare(self, producer_id: int, place: TopicPartition, before: int) -> None:
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                marked_at = await self._marked_at(place, producer_id)
                # A commit is answered some milliseconds before its markers are written.
                while marked_at is None:
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
                    marked_at = await self._marked_at(place, producer_id)
        except (KafkaError, OSError, TimeoutError) as error:
            logger.debug("no time of a broker: %r", error, extra=event("clock_unknown"))
            return
        self._compared_at = time.monotonic()
        self._ahead_seconds = (before - marked_at) / 1000
        self._tell(before)

    def _tell(self, before: int) -> None:
        """Logs once that the clocks disagree, and once that they agree again."""
        if self._told and self.agrees:
            logger.warning("this machine's clock agrees with the broker's", extra=event("clock_ok"))
        elif not self._told and not self.agrees:
            logger.error(
                "%s. Adverse events wait until the wrong one of the two is set",
                self._sentence(before),
                extra=event("clock_ahead"),
            )
        self._told = not self.agrees

    def _sentence(self, before: int) -> str:
        broker = before - round(1000 * self._ahead_seconds)
        return (
            f"this machine's clock is {self._ahead_seconds:.0f} s ahead of the broker's: it says "
            f"{utc(before)}, the broker's {utc(broker)}; deadlines would pass early"
        )


class PartitionClock:
    """The time of one partition, which never goes behind that of its last transaction, `floor`.

    `producer` writes its transactions, and `place` is a changelog's partition, which each of them
    writes to.
    """

    def __init__(
        self,
        clock: Clock,
        broker: BrokerClock,
        producer: TransactionalProducer,
        place: TopicPartition,
        floor: int,
    ) -> None:
        self._clock, self._broker = clock, broker
        self._producer, self._place, self._floor = producer, place, floor

    def now(self) -> int:
        """Returns the time of what is decided now, milliseconds UTC."""
        return max(self._clock.now(), self._floor)

    def sure(self, tolerated_seconds: float) -> bool:
        """Whether no deadline passes early: neither this clock nor the time before is ahead."""
        behind_ms = self._floor - self._clock.now()
        return behind_ms <= 1000 * tolerated_seconds and self._broker.agrees

    @property
    def wanted(self) -> bool:
        """Whether a transaction has to be written now, so that the clocks can be compared."""
        return self._broker.wanted

    async def begin(self) -> None:
        """Compares this machine's clock with the broker's, before the worker's first decision.

        Raises:
            StopWorker: it is far ahead.
        """
        await self._broker.begin(self._producer, self._place)

    def committed(self, now: int, before: int) -> None:
        """Notes a transaction of the time `now`, whose commit began at `before` by the clock."""
        self._floor = now
        self._broker.committed(self._producer, self._place, before)
