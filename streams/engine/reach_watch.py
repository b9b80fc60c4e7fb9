"""Checks every two seconds that each input can be read to its end and still has its unread records.

If the leader of a partition is gone, nobody says where it ends, and its timers wait. If a producer
hangs inside a transaction, a `read_committed` consumer cannot read beyond its start: no error is
raised, the consumer's own lag is 0, and timers wait for ever. If unread records were deleted from a
topic, aiokafka goes on at another offset without an error.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.engine.assignment import Assignment
from streams.engine.cluster_watch import Away
from streams.engine.context import EngineContext
from streams.engine.continuity import check_bounds
from streams.engine.lag import Key
from streams.engine.partition_task import PartitionTask
from streams.kafka.requests.open_transactions import OpenTransaction
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

EVERY_SECONDS = 2.0
LOOK_SECONDS = 5.0
OUTSIDE_LOOKS = 2
NAMED_SECONDS = 5.0
"""After this time without progress on unread records, the broker is asked for open transactions;
after this time without an answer, the log names the partitions whose ends nobody tells."""
LISTED = 5
NOT_KNOWN = (-1, -1)

logger = logging.getLogger(__name__)


class ReachWatch:
    """Compares the partitions' positions with the broker's offsets.

    A key is a topic and a partition number.
    """

    def __init__(self, context: EngineContext, assignment: Assignment) -> None:
        self._context = context
        self._assignment = assignment
        self._stuck: dict[Key, tuple[int, float]] = {}
        self._outside: dict[Key, int] = {}
        self.blocked: dict[Key, tuple[int, int]] = {}
        """Inputs without progress for a minute: the next offset, and the end offset. Both are -1
        where the end has been unknown for as long."""
        self.hiding: dict[Key, OpenTransaction] = {}
        """By topic and the topic's own partition, the open transaction that blocks reading."""
        self._told: set[str] = set()
        self._unknown: dict[Key, float] = {}
        """Since when the end is not known (`time.monotonic()`)."""
        self._unknown_told: set[Key] = set()

    async def run(self) -> None:
        """Checks every two seconds.

        Raises:
            StopWorker: a position lies outside of its topic.
        """
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            tasks = [p for p in self._assignment.tasks.values() if p.state == "running"]
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look(tasks)
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._name_who_hides()
            except Away as error:
                logger.debug("no look at the ends: %r", error, extra=event("ends_unknown"))

    async def _look(self, tasks: list[PartitionTask]) -> None:
        ends, broadcast = self._context.watermarks, self._context.broadcast
        before = {task.number: dict(task.input_queue.reads) for task in tasks}
        places = self._places(before)
        bounds, faults = await ends.look(set(places.values()))
        now = time.monotonic()
        running = {task.number: task for task in tasks if task.state == "running"}
        seen = {key for key in places if key[1] in running}
        self._unknown_told &= seen
        self._judge_unknown({k: faults[at] for k in seen if (at := places[k]) not in bounds}, now)
        for key in sorted(seen):
            if places[key] not in bounds:
                continue
            topic, number = key
            begin, end = bounds[places[key]]
            if broadcast is not None and topic == broadcast.topic:
                begin = broadcast.begin
            inputs = running[number].input_queue
            queue, reads = inputs.queues.get(topic), inputs.reads[topic]
            fetched = max(reads, queue.expected) if queue is not None else reads
            # The position from before this request must not be beyond the end, and the present
            # position must not be before the topic's first offset.
            inside = begin <= fetched and before[number][topic] <= end
            self._judge_position(key, inside, fetched, (begin, end))
            self._context.lags.note(key, reads, end, now)
            waits = end > reads and not (queue is not None and queue.batches)
            self._judge_reach(key, waits, reads, end, now)
        self._context.lags.keep(seen)
        for known in (self._stuck, self._outside, self.blocked):
            for key in [key for key in known if key not in seen]:
                del known[key]

    def _places(self, numbers: Iterable[int]) -> dict[Key, TopicPartition]:
        """Returns, by topic and this worker's partition number, the topic's own partition."""
        spec = self._context.processor.spec
        places = {(topic, n): TopicPartition(topic, n) for n in numbers for topic in spec.topics}
        if spec.broadcast is not None:
            single = TopicPartition(spec.broadcast, 0)
            places |= {(spec.broadcast, number): single for number in numbers}
        return places

    def _judge_unknown(self, unknown: Mapping[Key, str], now: float) -> None:
        """Notes inputs of which nobody says where they end, with the cause; logs each once."""
        # While Kafka is away nobody says anything of any partition, and that has a line of its own.
        away = self._context.watch.away_seconds > 0
        since = {key: now if away else self._unknown.get(key, now) for key in unknown}
        self._unknown = since
        patience = self._context.config.unreachable_end_seconds
        for key in unknown:
            if now - since[key] >= patience:
                self.blocked.setdefault(key, NOT_KNOWN)
        fresh = {k for k in unknown if now - since[k] >= NAMED_SECONDS} - self._unknown_told
        if fresh:
            self._unknown_told |= fresh
            logger.error(
                "the brokers do not say where %s ends (%s): its timers wait, and nothing of it may "
                "be read. See that each of its partitions has a leader; other partitions go on",
                _listed(fresh),
                ", ".join(sorted({unknown[key] for key in fresh})),
                extra=event("end_unknown"),
            )
        back = self._unknown_told - unknown.keys()
        self._unknown_told -= back
        for key in back:
            if self.blocked.get(key) == NOT_KNOWN:
                del self.blocked[key]
        if back:
            logger.warning(
                "the brokers say again where %s ends", _listed(back), extra=event("end_known")
            )

    def _judge_position(
        self, key: Key, inside: bool, position: int, bounds: tuple[int, int]
    ) -> None:
        if inside:
            self._outside.pop(key, None)
            return
        self._outside[key] = self._outside.get(key, 0) + 1
        if self._outside[key] >= OUTSIDE_LOOKS:
            topics = self._context.cluster.topics
            check_bounds(key[1], {key[0]: position}, {key[0]: bounds}, topics)
            raise StopWorker(
                f"{key[0]}[{key[1]}] was cut to {bounds} while it was read", ExitCode.PERSON
            )

    def _judge_reach(self, key: Key, waits: bool, reads: int, end: int, now: float) -> None:
        topic, number = key
        position, since = self._stuck.get(key, (-1, now))
        if not waits or position != reads:
            self._stuck[key] = (reads, now)
            if self.blocked.pop(key, None) is not None:
                logger.warning(
                    "%s[%d] is read on, from offset %d",
                    topic,
                    number,
                    reads,
                    extra=event("end_reachable"),
                )
            return
        patience = self._context.config.unreachable_end_seconds
        if now - since >= patience and key not in self.blocked:
            logger.error(
                "%s[%d] cannot be read beyond offset %d, though it reaches to %d, for %.0f s: a "
                "producer has left a transaction open there. Its timers wait",
                topic,
                number,
                reads,
                end,
                patience,
                extra=event("end_unreachable"),
            )
        if now - since >= patience:
            self.blocked[key] = (reads, end)

    # ---- whose transaction it is ---------------------------------------------------------------

    async def _name_who_hides(self) -> None:
        """Finds open transactions that have blocked reading for some seconds; logs each once."""
        now, single = time.monotonic(), self._context.processor.spec.broadcast
        places = {
            (topic, 0 if topic == single else number)
            for (topic, number), (_, since) in self._stuck.items()
            if now - since >= NAMED_SECONDS and (topic, number) not in self._unknown
        }
        found: list[OpenTransaction] = []
        if places:
            try:
                found = await self._context.watermarks.hiding(sorted(places))
            except KafkaError as error:
                logger.debug(
                    "nobody says whose transaction it is: %r",
                    error,
                    extra=event("transaction_owner_unknown"),
                )
        self.hiding = {(one.topic, one.partition): one for one in found}
        for topic in sorted({one.topic for one in found} - self._told):
            self._told.add(topic)
            self._tell(next(one for one in found if one.topic == topic))
        for topic in sorted(self._told - {topic for topic, _ in (*places, *self._unknown)}):
            self._told.remove(topic)
            logger.info(
                "%s is read to its end again: no open transaction hides any of it",
                topic,
                extra=event("topic_unblocked"),
            )

    def _tell(self, one: OpenTransaction) -> None:
        own = "" if one.transactional_id is None else f", transactional id {one.transactional_id}"
        logger.warning(
            "%s[%d] is blocked at offset %d: producer %d%s has had a transaction open for %.0f s. "
            "Nobody reads what lies behind it, and timers wait; `byline topics blocked` says more",
            one.topic,
            one.partition,
            one.start_offset,
            one.producer_id,
            own,
            one.open_seconds(self._context.clock.now()),
            extra=event("topic_blocked"),
        )


def _listed(keys: Iterable[Key]) -> str:
    """Returns some of these inputs by name, and how many more there are."""
    named = [f"{topic}[{number}]" for topic, number in sorted(keys)]
    more = f" and {len(named) - LISTED} more" if len(named) > LISTED else ""
    return ", ".join(named[:LISTED]) + more
