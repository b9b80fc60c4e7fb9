"""Sending refused records again, and dismissing them: each letter is settled once.

The mark and the record sent again are one transaction. Letters are read after the producer has
started, so that nothing another one began can still be open: killed anywhere, the next run goes on
with exactly what is not settled.
"""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from schemas.topics import DEAD_LETTERS, TOPICS
from streams.core.model.instants import rfc3339
from streams.kafka.consumer import TolerantConsumer
from streams.letters.origins import Found, fetch
from streams.letters.producer import RedriveProducer, in_transaction
from streams.letters.reading import Filter, Letter, read_letters
from streams.operate.errors import UsageError
from streams.operate.send import known_platforms, partition_of
from streams.operate.send_check import CheckedLine, LineChecker, Rejection
from streams.settings import Settings

MOST_TOGETHER = 200
"""Letters of one transaction."""
PROGRAM_SECONDS = 30.0
_SINGLE = frozenset(topic.name for topic in TOPICS if topic.single)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, by whom, why, and with which letters.

    `through`: a program that is given each value on its standard input and prints what to send in
    its place. `rekey`: a record whose key is another's than its value says goes by its value.
    """

    actor: str
    reason: str
    wanted: Filter
    now: int
    through: tuple[str, ...] = ()
    rekey: bool = False


class Again(NamedTuple):
    """A record to send again."""

    letter: Letter
    key: bytes
    value: bytes
    changed: bool


class Left(NamedTuple):
    """A letter that stays as it is, and why."""

    letter: Letter
    why: str


@dataclass(slots=True)
class Done:
    """What was done, or in a dry run would be."""

    settled: int = 0
    before: int = 0
    left: list[Left] = field(default_factory=list)


Program = Callable[[bytes], bytes | str]
"""What to send in the place of a value; a text says why nothing."""


def program_of(command: tuple[str, ...]) -> Program:
    """A program of the operator's. UsageError where it cannot be started."""

    def run(value: bytes) -> bytes | str:
        try:
            done = subprocess.run(  # noqa: S603
                command, input=value, capture_output=True, timeout=PROGRAM_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"{command[0]} took over {PROGRAM_SECONDS:g} s"
        except OSError as error:
            raise UsageError(f"--through {command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            return f"{command[0]} ended with {done.returncode}"
        return done.stdout

    return run


async def redrive(
    client: TolerantConsumer,
    settings: Settings,
    order: Order,
    producer: RedriveProducer | None,
) -> Done:
    """Send the refused records of these letters again. Without a producer nothing is sent."""
    letters, done = await _open_letters(client, settings, order)
    platforms = await known_platforms(settings, {it.platform or "" for it in letters} - {""})
    counts = await _partition_counts(client, settings)
    program = program_of(order.through) if order.through else None
    waiting: list[Again] = []
    async for found in fetch(client, settings, letters):
        plan = _plan(found, order, settings, platforms, program)
        if isinstance(plan, Left):
            done.left.append(plan)
            continue
        done.settled += 1
        waiting.append(plan)
        if len(waiting) >= MOST_TOGETHER:
            await _commit_again(settings, order, producer, waiting, counts)
            waiting = []
    await _commit_again(settings, order, producer, waiting, counts)
    return done


async def dismiss(
    client: TolerantConsumer,
    settings: Settings,
    order: Order,
    producer: RedriveProducer | None,
) -> Done:
    """Mark these letters as dismissed: a person has looked, and nothing is sent."""
    letters, done = await _open_letters(client, settings, order)
    done.settled = len(letters)
    for start in range(0, len(letters), MOST_TOGETHER):
        marks = [
            _mark(settings, order, it, "dismissed", changed=False)
            for it in letters[start : start + MOST_TOGETHER]
        ]
        if producer is not None:
            await in_transaction(producer, marks)
    return done


async def _open_letters(
    client: TolerantConsumer, settings: Settings, order: Order
) -> tuple[list[Letter], Done]:
    """The letters that nobody has seen to. UsageError for a place at which nothing was refused."""
    known = await read_letters(client, settings)
    for origin in sorted(order.wanted.origins):
        letter = known.get(origin)
        if letter is None:
            raise UsageError(f"{origin}: no dead letter speaks of it")
        if letter.settled is not None and len(order.wanted.origins) == 1:
            raise UsageError(f"{origin}: settled already ({letter.settled})")
    matching = known.matching(order.wanted)
    settled = [it for it in matching if it.settled is not None]
    return [it for it in matching if it.settled is None], Done(before=len(settled))


def _plan(
    found: Found,
    order: Order,
    settings: Settings,
    platforms: set[str] | None,
    program: Program | None,
) -> Again | Left:
    """What to send for a letter, or why it stays."""
    letter = found.letter
    if found.gone is not None:
        return Left(letter, f"{found.gone}: it can only be dismissed")
    value = found.value
    if program is not None:
        changed = program(value or b"")
        if isinstance(changed, str):
            return Left(letter, changed)
        value = changed
    if value is None:
        return Left(letter, "it has no value, so nothing can be mended: it can only be dismissed")
    checker = LineChecker(
        letter.origin.topic,
        platforms,
        order.now / 1000,
        require_approvals=settings.require_approvals,
    )
    line = checker.check(value)
    if isinstance(line, Rejection):
        return Left(letter, f"it would be refused again: {line}")
    if found.key is not None and found.key != line.key and not (order.rekey or program):
        return Left(
            letter, "its key is another's than its value says: --key-from-value goes by the value"
        )
    return _again(letter, line, program is not None)


def _again(letter: Letter, line: CheckedLine, changed: bool) -> Again:
    assert line.value is not None
    return Again(letter, line.key, line.value, changed)


async def _commit_again(
    settings: Settings,
    order: Order,
    producer: RedriveProducer | None,
    waiting: list[Again],
    counts: dict[str, int],
) -> None:
    if producer is None or not waiting:
        return
    records: list[tuple[str, int, bytes | None, bytes | None]] = []
    for it in waiting:
        name = it.letter.origin.topic
        number = 0 if name in _SINGLE else partition_of(it.key, counts[name])
        records.append((settings.topic_prefix + name, number, it.key, it.value))
        records.append(_mark(settings, order, it.letter, "redriven", changed=it.changed))
    await in_transaction(producer, records)


def _mark(
    settings: Settings, order: Order, letter: Letter, settled: str, *, changed: bool
) -> tuple[str, int, bytes | None, bytes | None]:
    value: dict[str, Any] = {
        "settled": settled,
        "topic": settings.topic_prefix + letter.origin.topic,
        "partition": letter.origin.partition,
        "offset": letter.origin.offset,
        "actor": order.actor,
        "reason": order.reason,
        "at": rfc3339(order.now),
        "changed": changed,
    }
    topic = settings.topic_prefix + DEAD_LETTERS.name
    return topic, letter.partition, letter.key, _encode(value)


async def _partition_counts(client: TolerantConsumer, settings: Settings) -> dict[str, int]:
    cluster = await client._client.fetch_all_metadata()
    found = {
        it.name: cluster.partitions_for_topic(settings.topic_prefix + it.name) for it in TOPICS
    }
    return {name: len(partitions) for name, partitions in found.items() if partitions}


def lines_of(left: list[Left]) -> Iterator[tuple[str, int]]:
    """Why letters stay, each reason with how many."""
    counts: dict[str, int] = {}
    for it in left:
        counts[it.why] = counts.get(it.why, 0) + 1
    yield from sorted(counts.items(), key=lambda it: -it[1])
