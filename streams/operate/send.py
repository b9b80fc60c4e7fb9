"""`byline send TOPIC [FILE]`: checks JSON lines and sends each with the right key and partition."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from schemas.inputs import InputName
from schemas.topics import TOPICS
from streams.kafka.requests.metadata import view_topics
from streams.kafka.rights import RIGHTS_ERRORS, in_words, missing_rights
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.clients import producer
from streams.operate.errors import NoRightError, OperateError, UsageError
from streams.operate.lines import name_of, raw_lines
from streams.operate.published import published
from streams.operate.send_check import SENT_MODELS, CheckedLine, LineChecker, Rejection
from streams.operate.topics import names_of
from streams.policies import PolicyFaults, load_policies
from streams.policies.scalars import nearest
from streams.settings import Settings

IN_FLIGHT = 5_000
TOPIC_PATIENCE_SECONDS = 3.0
"""How long to wait for the topic: not every broker knows one that has just been created."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that was not sent: its file, its number from 1, and why."""

    file: str
    line: int
    rejection: Rejection

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rejection}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The number of lines that were sent (or, in a dry run, would be), and the refused ones.

    `warning`: what could not be checked. `ends`: by partition, the offset after the last one sent.
    `stopped_after`: if it was interrupted, the number of the last line that was sent or refused.
    """

    topic: str
    count: int
    refused: tuple[RefusedLine, ...]
    warning: str | None = None
    ends: Mapping[int, int] = field(default_factory=dict)
    stopped_after: int | None = None


def in_use(settings: Settings, there: int) -> int:
    """Returns how many partitions of a keyed topic are worked on: the old ones if some were added.

    `there`: how many it has.
    """
    return min(there, settings.partitions or there)


def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition that the Java client's default partitioner gives a key (murmur2)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def sent_name(settings: Settings, topic: str) -> str:
    """Returns the name, without prefix, of a topic that can be sent to. Raises UsageError."""
    name = topic.removeprefix(settings.topic_prefix)
    if name not in SENT_MODELS:
        near = nearest(name, SENT_MODELS)
        hint = f"did you mean {near}? " if near else ""
        raise UsageError(f"{topic} is not an input; {hint}there are {', '.join(SENT_MODELS)}")
    return name


UNCHECKED = (
    "no policy can be read, here or in the topic of policies: whether there is such a platform is"
    " not known, it is taken as given"
)


async def known_platforms(
    settings: Settings, named: set[str], *, strict: bool = False
) -> set[str] | None:
    """Returns the platforms that have a policy; None: no policy can be read.

    An operator's control or switch must get through even if the policy files here are broken or
    old. So if they lack one of the `named` platforms, the topic of policies is read too. `strict`:
    for what can wait until somebody grants the right to read it. Raises NoRightError only then.
    """
    try:
        known = {*load_policies(settings.policies, require_approvals=False)}
    except PolicyFaults:
        known = set()
    if named <= known:
        return known
    try:
        with contextlib.suppress(MissingTopicsError):
            known |= {one.platform for one in await published(settings)}
    except OperateError as error:
        if strict and isinstance(error, NoRightError):
            raise
    return known or None


async def send(
    settings: Settings,
    topic: str,
    file: Path,
    now_seconds: float,
    *,
    dry_run: bool = False,
    tombstones: bool = False,
) -> Sent:
    """Sends the valid lines of a file (`-`: standard input; `.gz` is unpacked); lists the others.

    Each line is sent as soon as it is read. If the task is cancelled, the result still says how
    many were sent. `now_seconds`: the wall clock; times too far ahead of it are refused. With
    `tombstones` a line has only platform and account_id, and the record no value.

    Raises:
        UsageError: the topic cannot be sent to, or the file cannot be read.
        PolicyFaults: the policy files are wrong.
        KafkaAbsentError: no broker answers.
        NoRightError: the topic may not be written.
        OperateError: the topic is missing, or Kafka refuses a record.
    """
    name = sent_name(settings, topic)
    platforms = load_policies(settings.policies, require_approvals=settings.require_approvals)
    checker = LineChecker(
        name,
        platforms.keys(),
        now_seconds,
        require_approvals=settings.require_approvals,
        tombstones=tombstones,
    )
    full_name = settings.topic_prefix + name
    lines = _Lines(checker, file)
    ends: dict[int, int] = {}
    if dry_run:
        count = len([line async for line in lines.good()])
    else:
        count, ends = await _produce(settings, full_name, lines.good(), until_cancelled=True)
    return Sent(full_name, count, tuple(lines.refused), None, ends, lines.stopped_after)


async def send_values(
    settings: Settings,
    name: InputName,
    values: Iterable[Mapping[str, Any]],
    now_seconds: float,
    *,
    dry_run: bool = False,
) -> Sent:
    """Sends values that a command made itself. If a worker would refuse one, it sends none.

    In a refusal, `line` is the number of the value from 1. Raises what send() raises, except
    PolicyFaults.
    """
    values = list(values)
    named = {str(value.get("platform") or value.get("scope")) for value in values} - {"*"}
    platforms = await known_platforms(settings, named)
    checker = LineChecker(
        name, platforms, now_seconds, require_approvals=settings.require_approvals
    )
    warning = UNCHECKED if platforms is None else None
    full_name = names_of(settings).input(name)
    good: list[CheckedLine] = []
    refused: list[RefusedLine] = []
    for number, value in enumerate(values, start=1):
        outcome = checker.check(json.dumps(value, ensure_ascii=False).encode())
        if isinstance(outcome, Rejection):
            refused.append(RefusedLine(name, number, outcome))
        else:
            good.append(outcome)
    if refused or dry_run:
        return Sent(full_name, 0 if refused else len(good), tuple(refused), warning)
    count, ends = await _produce(settings, full_name, _each(good))
    return Sent(full_name, count, (), warning, ends)


async def _each(lines: Iterable[CheckedLine]) -> AsyncIterator[CheckedLine]:
    for line in lines:
        yield line


async def _produce(
    settings: Settings,
    topic: str,
    lines: AsyncIterator[CheckedLine],
    until_cancelled: bool = False,
) -> tuple[int, dict[int, int]]:
    """Sends records; returns how many, and by partition the offset after the last one.

    `until_cancelled`: a cancellation ends the reading of lines, and those already read are sent.
    """
    count = 0
    ends: dict[int, int] = {}
    waiting: list[asyncio.Future[Any]] = []
    async with producer(settings, topic, linger_ms=5) as client:
        try:
            partitions = _in_use(settings, topic, await partition_count(client, topic))
            try:
                async for line in lines:
                    partition = partition_of(line.key, partitions)
                    waiting.append(await client.send(topic, line.value, line.key, partition))
                    count += 1
                    if len(waiting) >= IN_FLIGHT:
                        await _note(ends, waiting)
                        waiting.clear()
            except asyncio.CancelledError:
                if not until_cancelled:
                    raise
            await _note(ends, waiting)
        except KafkaError as error:
            if isinstance(error, RIGHTS_ERRORS):
                raise NoRightError(f"no right to Write {topic}") from error
            raise OperateError(
                f"Kafka does not take records for {topic} ({error}): does `byline topics check`"
                " find the topic?"
            ) from error
    return count, ends


def _in_use(settings: Settings, topic: str, there: int) -> int:
    """Returns how many of a topic's existing partitions (`there`) workers read."""
    names = names_of(settings)
    if any(names.of(one) == topic for one in TOPICS if one.single):
        return 1
    return in_use(settings, there)


async def _note(ends: dict[int, int], waiting: list[asyncio.Future[Any]]) -> None:
    """Waits until all records are acknowledged, and updates `ends` (next offset by partition).

    Cancelling this does not cancel a send.
    """
    if waiting:
        await asyncio.wait(waiting)
    for it in [one.result() for one in waiting]:
        ends[it.partition] = max(ends.get(it.partition, 0), it.offset + 1)


async def partition_count(client: AIOKafkaProducer, topic: str) -> int:
    """Returns the number of partitions of a topic, once it exists and may be written.

    Raises NoRightError if it may not be written, OperateError if it is missing.
    """
    deadline = time.monotonic() + TOPIC_PATIENCE_SECONDS
    while True:
        view = await view_topics(client.client, [topic], with_operations=True)
        if missing := missing_rights(view, {topic: ("Write",)}):
            raise NoRightError(in_words(missing))
        found = view.topics.get(topic)
        if found is not None and found.partitions:
            return found.partitions
        if time.monotonic() > deadline:
            raise OperateError(f"{topic} is missing: `byline topics create` makes it")
        await asyncio.sleep(0.2)


class _Lines:
    """Checks the lines of a file: `good` yields those to send, `refused` collects the others.

    `stopped_after`: the number of the last line that was checked; None once all were.
    """

    def __init__(self, checker: LineChecker, file: Path) -> None:
        self._checker, self._file = checker, file
        self.refused: list[RefusedLine] = []
        self.stopped_after: int | None = 0

    async def good(self) -> AsyncIterator[CheckedLine]:
        """Yields the valid lines one by one. Empty lines are skipped."""
        number = 0
        async for raw in raw_lines(self._file):
            number += 1
            if raw.strip():
                outcome = self._checker.check(raw)
                if isinstance(outcome, Rejection):
                    self.refused.append(RefusedLine(name_of(self._file), number, outcome))
                else:
                    yield outcome
            self.stopped_after = number
        self.stopped_after = None
