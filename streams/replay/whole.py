"""Replays all partitions that Kafka has, one after the other; memory holds one at a time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import DECISIONS, TopicNames
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.clients import consumer
from streams.operate.ends import nothing_hidden
from streams.operate.errors import EndHiddenError, UsageError
from streams.processor import partitioner
from streams.replay.elsewhere import Elsewhere
from streams.replay.partition import PartitionReplay, replayed
from streams.replay.recorded import (
    Clients,
    RecordedPartition,
    policy_texts,
    transactions,
)
from streams.replay.records import Difference
from streams.replay.written import COMPARED, ReplayWritten
from streams.settings import Settings

_BY_BYLINE = b'"actor":"byline"'
SETTLE_SECONDS = 0.5
"""How long to wait between asking for the ends of the outputs and of the log.

The markers of one transaction are not written at the same instant in all topics.
"""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many offsets of the log are replayed, and of how many."""


@dataclass(frozen=True, slots=True)
class OtherCount:
    """The result for a recorded partition on another number of partitions.

    `events`: how many were compared. `binds`: where a cap or guard ended the comparison.
    """

    partition: int
    events: int
    binds: str | None
    difference: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON of `byline replay --partitions … --json`."""
        plain = None if self.difference is None else self.difference.as_dict()
        names = {"partition": self.partition, "events": self.events, "binds": self.binds}
        return names | {"difference": plain}


@dataclass(slots=True)
class Replayed:
    """The result for all partitions.

    `elsewhere`: on the other number of partitions. `switches`: a difference in what the refusal
    guards sent to the topic of switches. `hidden`: the message on an open transaction that hides
    the end of the log. Both are None if there is none. `altered`: places in the topic of policies
    whose text is not the one of its digest.
    """

    partition_count: int
    partitions: list[PartitionReplay] = field(default_factory=list)
    elsewhere: list[OtherCount] = field(default_factory=list)
    switches: str | None = None
    hidden: str | None = None
    altered: list[str] = field(default_factory=list)

    @property
    def different(self) -> bool:
        """Whether anything differs from what is recorded."""
        parts = any(it.difference is not None for it in self.partitions)
        parts = parts or any(it.difference for it in self.elsewhere)
        return parts or self.switches is not None or bool(self.altered)

    @property
    def lacks(self) -> bool:
        """Whether something could not be replayed, or not be compared."""
        parts = any(it.missing is not None for it in self.partitions)
        return parts or self.hidden is not None or any(it.binds for it in self.elsewhere)


async def replay_all(
    settings: Settings,
    now: int,
    tell: Progress,
    *,
    account: str | None = None,
    numbers: Sequence[int] = (),
    other_count: int | None = None,
) -> Replayed:
    """Replays the partitions `numbers` and that of an account; if neither is named, all.

    `now`: ms. `other_count`: replay also on this number of partitions. Raises MissingTopicsError,
    NoRightError, KafkaAbsentError, UsageError.
    """
    names = TopicNames(settings.topic_prefix, settings.application_id)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(consumer(settings))
        reader = Reader(client, settings.topic_prefix, settings.partitions)
        await reader.find([DECISIONS.name, *(topic.name for topic in COMPARED)])
        logs = reader.of(DECISIONS.name)
        chosen = _chosen(len(logs), account, numbers)
        _check_other(len(logs), other_count)
        found = Replayed(len(logs))
        high = await client.high_watermarks([logs[number] for number in chosen])
        texts = await policy_texts(client, settings)
        found.altered = texts.altered
        before = await _trips(client, settings)
        ends = await client.end_offsets([logs[number] for number in chosen])
        meter = _Meter(tell, sum(ends.values()))
        clients = Clients(settings, stack)
        for number in chosen:
            recorded = RecordedPartition(settings, clients, number, len(logs), texts.known, now)
            await _one(found, recorded, number, account, other_count, meter)
        if len(chosen) == len(logs) and not found.different and not found.lacks:
            found.switches = _compared(found, before, await _trips(client, settings), names)
        try:
            await nothing_hidden(client, high)
        except EndHiddenError as error:
            found.hidden = str(error)
    return found


class _Meter:
    def __init__(self, tell: Progress, total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def __call__(self, count: int) -> None:
        self._done += count
        self._tell("replays", self._done, self._total)


def _chosen(count: int, account: str | None, numbers: Sequence[int]) -> list[int]:
    strange = [number for number in numbers if number >= count]
    if strange:
        raise UsageError(f"--partition {strange[0]}: there are {count}, 0 to {count - 1}")
    own = [] if account is None else [partitioner(count)(account.encode())]
    return sorted({*numbers, *own}) or list(range(count))


def _check_other(count: int, other: int | None) -> None:
    if other is not None and count % other == 0:
        raise UsageError(
            f"--partitions {other}: there are {count}, and each of {other} would hold whole ones of"
            f" them, so that nothing is dealt out anew: take a number that does not divide {count}"
        )


async def _one(
    found: Replayed,
    recorded: RecordedPartition,
    number: int,
    account: str | None,
    other_count: int | None,
    meter: _Meter,
) -> None:
    environment = recorded.environment
    beside = None
    if other_count is not None:
        beside = Elsewhere(environment, number, other_count, partitioner(other_count))
    outputs = await recorded.outputs()
    await asyncio.sleep(SETTLE_SECONDS)
    log = await recorded.log()
    await recorded.open(beside)
    own = None if account is None else account.encode()
    written = ReplayWritten(number, outputs, environment.full_name, own)
    found.partitions.append(
        await replayed(number, recorded.replay, transactions(log), written, meter)
    )
    if beside is not None:
        found.elsewhere.append(OtherCount(number, beside.events, beside.binds, beside.difference))


async def _trips(client: TolerantConsumer, settings: Settings) -> Counter[bytes]:
    """Returns the records that the workers' refusal guards wrote to the topic of switches."""
    read = read_to_end(client, settings.topic_prefix, ["switches"])
    return Counter([it.value async for it in read if it.value and _BY_BYLINE in it.value])


def _compared(
    found: Replayed, before: Counter[bytes], after: Counter[bytes], names: TopicNames
) -> str | None:
    made: Counter[bytes] = Counter()
    for it in found.partitions:
        made.update(it.trips)
    topic = names.input("switches")
    for value in before - made:
        return f"{topic}: replay trips no such guard: {value.decode(errors='replace')}"
    for value in made - after:
        return f"{topic}: a guard tripped, and its record is missing: {value.decode()}"
    return None
