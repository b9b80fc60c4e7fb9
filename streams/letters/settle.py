"""Sends refused records again, or dismisses them, and marks their dead letters as settled.

A record and the mark of its letter are written in one transaction. Letters are read after the
producer has started, when no transaction of an earlier run can still be open. So a run that was
killed can be repeated: it goes on with the letters that are not settled.
"""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from schemas.topics import DEAD_LETTERS, TOPICS
from streams.core.model.instants import rfc3339
from streams.kafka.consumer import TolerantConsumer
from streams.letters.origins import Found, fetch
from streams.letters.producer import RedriveProducer, in_transaction
from streams.letters.reading import Filter, Letter, NoLetterError, read_letters
from streams.operate.errors import UsageError
from streams.operate.ids import actor_id
from streams.operate.role_rights import refuse_lacking_on
from streams.operate.send import in_use, known_platforms, partition_of
from streams.operate.send_check import CheckedLine, LineChecker, Rejection
from streams.settings import Settings

MOST_TOGETHER = 200
"""The most letters in one transaction."""
PROGRAM_SECONDS = 30.0
_SINGLE = frozenset(topic.name for topic in TOPICS if topic.single)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SettlementOrder:
    """A person's order to settle letters: by whom, why, and which.

    `now`: milliseconds UTC. `through`: a command that gets each value on standard input and prints
    the value to send instead. `rekey`: a record whose key does not match its value gets the key
    that matches. `again`: it may have been carried out before, so a letter that is settled already
    is no mistake.

    Raises:
        UsageError: the actor is no actor's id: it would stand in every mark.
    """

    actor: str
    reason: str
    wanted: Filter
    now: int
    through: tuple[str, ...] = ()
    rekey: bool = False
    again: bool = False

    def __post_init__(self) -> None:
        actor_id("the actor", self.actor)


class Again(NamedTuple):
    """A record to send again."""

    letter: Letter
    key: bytes
    value: bytes
    changed: bool


class Left(NamedTuple):
    """A letter that is not settled, and why."""

    letter: Letter
    why: str


@dataclass(slots=True)
class Done:
    """The result, in a dry run the expected one.

    `settled`: letters settled now. `before`: letters that were settled already. `left`: the others.
    `unknown`: further letters that are not settled and, since nobody knows their platform, may be
    of the one that was named. `moved`: letters settled now by a record of another key than their
    own: the program of `--through` answered with another account's.
    """

    settled: int = 0
    before: int = 0
    left: list[Left] = field(default_factory=list)
    unknown: int = 0
    moved: list[Letter] = field(default_factory=list)


Program = Callable[[bytes], bytes | str]
"""A function from a value to the value to send instead, or to a text that says why there is none.
"""


def program_of(command: tuple[str, ...]) -> Program:
    """Makes a `Program` of an operator's command.

    Raises:
        UsageError: when it is called and the command cannot be started.
    """

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
    order: SettlementOrder,
    producer: RedriveProducer | None,
) -> Done:
    """Sends the refused records of the selected letters again, and marks the letters.

    `producer`: None for a dry run. Raises NoRightError before anything is sent.
    """
    letters, done = await _open_letters(client, settings, order)
    topics = {settings.topic_prefix + it.origin.topic for it in letters if it.named}
    needed = ("Read",) if producer is None else ("Read", "Write")
    await refuse_lacking_on(client._client, topics, needed)
    named = {it.platform or "" for it in letters} - {""}
    platforms = await known_platforms(settings, named, strict=True)
    counts = await _partition_counts(client, settings)
    program = program_of(order.through) if order.through else None
    waiting: list[Again] = []
    async for found in fetch(client, settings, letters):
        plan = _plan(found, order, settings, platforms, program)
        if isinstance(plan, Left):
            done.left.append(plan)
            continue
        done.settled += 1
        if found.key is not None and found.key != plan.key and not order.rekey:
            done.moved.append(found.letter)
        waiting.append(plan)
        if len(waiting) >= MOST_TOGETHER:
            await _commit_again(settings, order, producer, waiting, counts)
            waiting = []
    await _commit_again(settings, order, producer, waiting, counts)
    return done


async def dismiss(
    client: TolerantConsumer,
    settings: Settings,
    order: SettlementOrder,
    producer: RedriveProducer | None,
) -> Done:
    """Marks the selected letters as dismissed, without sending their records.

    `producer`: None for a dry run.
    """
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
    client: TolerantConsumer, settings: Settings, order: SettlementOrder
) -> tuple[list[Letter], Done]:
    """Returns the selected letters that are not settled.

    Raises:
        NoLetterError: a place has no dead letter.
        UsageError: its only letter is settled already.
    """
    known = await read_letters(client, settings)
    for origin in sorted(order.wanted.origins):
        letter = known.get(origin)
        if letter is None:
            raise NoLetterError(f"{origin}: no dead letter speaks of it")
        if letter.settled is not None and len(order.wanted.origins) == 1 and not order.again:
            raise UsageError(f"{origin}: settled already ({letter.settled})")
    matching = known.matching(order.wanted)
    settled = [it for it in matching if it.settled is not None]
    every = known.matching(replace(order.wanted, unknown=True))
    further = sum(it.settled is None for it in every) - (len(matching) - len(settled))
    mine = [it for it in matching if it.settled is None]
    return mine, Done(before=len(settled), unknown=further)


def _plan(
    found: Found,
    order: SettlementOrder,
    settings: Settings,
    platforms: set[str] | None,
    program: Program | None,
) -> Again | Left:
    """Returns the record to send for a letter, or why it is not settled."""
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
    order: SettlementOrder,
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
    settings: Settings, order: SettlementOrder, letter: Letter, settled: str, *, changed: bool
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
    return {name: in_use(settings, len(it)) for name, it in found.items() if it}


def lines_of(left: list[Left]) -> Iterator[tuple[str, int]]:
    """Yields the reasons why letters are not settled, with the number of letters, largest first."""
    counts: dict[str, int] = {}
    for it in left:
        counts[it.why] = counts.get(it.why, 0) + 1
    yield from sorted(counts.items(), key=lambda it: -it[1])
