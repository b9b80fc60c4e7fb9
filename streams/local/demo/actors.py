"""Plays the notifier, the owners and the operators: reads Byline's events and sends its inputs.

Like a platform's own systems, they know an invitation only from the events that they read
(`read_committed`), and they do not react to shadow events.
"""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from schemas.enums import Mode
from schemas.inputs import InputName
from schemas.topics import TopicNames
from streams.local.demo.chance import Chance
from streams.local.demo.garbage import Garbage
from streams.local.demo.policies import Compressed
from streams.local.demo.scenario import Day
from streams.local.demo.script import (
    At,
    Covered,
    Exempt,
    FromDeadline,
    LastInvitation,
    Later,
    On,
    Send,
    Story,
    Value,
)
from streams.local.demo.tally import Seen, Tally

TICK_SECONDS = 0.04
TIME_FIELD: Mapping[InputName, str] = {
    "switches": "issued_at",
    "account-changes": "observed_at",
    "controls": "issued_at",
    "category-changes": "observed_at",
    "follower-counts": "observed_at",
    "notice-receipts": "occurred_at",
    "consent-answers": "occurred_at",
}
AGAIN = 0.3
"""The share of inputs that are sent twice; the first one of every kind is always sent twice."""


def wire_time(instant: float) -> str:
    """Formats seconds UTC as RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")


@dataclass(slots=True)
class Memory:
    """What the actors know about one account from its events.

    `deadline`: seconds UTC. `counts`: events by type.
    """

    invitation_id: str | None = None
    deadline: float | None = None
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Actors:
    """Sends the inputs of a day. `clock` returns seconds UTC; `begin`: when the day begins."""

    producer: AIOKafkaProducer
    names: TopicNames
    policies: Mapping[str, Compressed]
    day: Day
    rubbish: tuple[Garbage, ...]
    chance: Chance
    tally: Tally
    clock: Callable[[], float]
    begin: float
    partitions: int
    _due: list[tuple[float, int, int, Story]] = field(default_factory=list, init=False)
    _memory: dict[str, Memory] = field(default_factory=dict, init=False)
    _shadow: dict[str, Memory] = field(default_factory=dict, init=False)
    _kinds: set[str] = field(default_factory=set, init=False)
    _number: int = field(default=0, init=False)

    async def play(self) -> None:
        """Sends all inputs when they are due, those that `saw` adds included; until cancelled."""
        for story in self.day.stories.values():
            for index, step in enumerate(story.steps):
                if isinstance(step.when, At):
                    self._plan(self.begin + step.when.seconds, index, story)
        noise = iter(self.day.noise)
        upcoming = next(noise, None)
        rubbish = sorted(self.rubbish, key=lambda item: item.at)
        while True:
            now = self.clock()
            while self._due and self._due[0][0] <= now:
                _, _, index, story = heapq.heappop(self._due)
                await self._send(index, story, now)
            while rubbish and self.begin + rubbish[0].at <= now:
                await self._spoil(rubbish.pop(0))
            while upcoming is not None and self.begin + upcoming.at <= now:
                value = {"followers": upcoming.followers, "observed_at": wire_time(now)}
                who = {"platform": upcoming.platform, "account_id": upcoming.account_id}
                await self._produce("follower-counts", who, {**who, **value})
                upcoming = next(noise, None)
            await asyncio.sleep(TICK_SECONDS)

    def saw(self, seen: Seen) -> None:
        """Takes an event that was read: remembers its data, plans the steps that wait for it."""
        story = self.day.stories.get(seen.key)
        if story is None:
            return
        shadow = seen.mode == Mode.SHADOW
        known = self._shadow if shadow else self._memory
        memory = known.setdefault(seen.key, Memory())
        memory.counts[seen.event] += 1
        if seen.event == "invitation.issued":
            memory.invitation_id = str(seen.value["invitation_id"])
        if seen.value.get("deadline_at"):
            memory.deadline = datetime.fromisoformat(seen.value["deadline_at"]).timestamp()
        happened = (seen.event, memory.counts[seen.event], shadow)
        for index, step in enumerate(story.steps):
            when = step.when
            if isinstance(when, On) and (when.event, when.nth, when.shadow) == happened:
                self._plan(self.clock() + when.after, index, story)

    def _plan(self, at: float, index: int, story: Story) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, index, story))

    async def _send(self, index: int, story: Story, now: float) -> None:
        """Sends the input of a step; twice if it is the first of its kind, others by chance."""
        send = story.steps[index].send
        value = self.compose(index, story, send, now)
        who = {"platform": story.platform, "account_id": story.account_id}
        times = 1
        if send.kind not in self._kinds or self.chance.draw("again", story.key, index) < AGAIN:
            self._kinds.add(send.kind)
            self.tally.duplicates += 1
            times = 2
        for _ in range(times):
            await self._produce(send.topic, who, value)

    def compose(
        self, index: int, story: Story, send: Send, now: float
    ) -> Mapping[str, object] | None:
        """Returns the value of an input that is sent at `now` (seconds UTC); None: a tombstone."""
        if send.fields is None:
            return None
        memory = self._memory.get(story.key, Memory())
        happened = now if send.happened is None else _instant(send.happened, memory, now)
        value: dict[str, object] = {TIME_FIELD[send.topic]: wire_time(happened)}
        if send.topic == "switches":
            value["scope"] = story.platform
        else:
            value |= {"platform": story.platform, "account_id": story.account_id}
        if send.topic == "controls":
            value["control_id"] = f"demo-{story.name}-{index}"
        for name, item in send.fields.items():
            value[name] = self._fill(item, story, memory, now)
        return value

    def _fill(self, item: Value, story: Story, memory: Memory, now: float) -> object:
        policy = self.policies[story.platform]
        match item:
            case Later() | FromDeadline():
                return wire_time(_instant(item, memory, now))
            case Covered():
                return self.chance.choose(policy.covered_labels, "label", story.key)
            case Exempt():
                return self.chance.choose(policy.exempt_labels, "label", story.key)
            case LastInvitation():
                return memory.invitation_id
            case _:
                return item

    async def _produce(
        self, topic: InputName, who: Mapping[str, str], value: Mapping[str, object] | None
    ) -> None:
        key = f"{who['platform']}:{who['account_id']}"
        if topic == "switches":
            assert value is not None
            key = f"{value['scope']}:{value['switch']}"
        text = None if value is None else json.dumps(value, ensure_ascii=False).encode()
        await self.producer.send(self.names.input(topic), text, key.encode())
        self.tally.input(topic, who["platform"], who["account_id"])

    async def _spoil(self, item: Garbage) -> None:
        topic = self.names.input(item.topic)
        partition = None
        if item.wrong_partition:
            sent = await self.producer.send_and_wait(topic, item.value, item.key)
            partition = (sent.partition + 1) % self.partitions
            self.tally.sent[item.topic] += 1
        await self.producer.send(topic, item.value, item.key, partition=partition)
        self.tally.sent[item.topic] += 1


def _instant(when: Later | FromDeadline, memory: Memory, now: float) -> float:
    if isinstance(when, Later):
        return now + when.seconds
    assert memory.deadline is not None, "a step speaks of a deadline that was never told"
    return memory.deadline + when.seconds
