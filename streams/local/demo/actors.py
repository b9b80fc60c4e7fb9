"""Plays the notifier, the owners and the operators: reads Byline's events and sends its inputs.

Like a platform's own systems, they know an invitation only from the events that they read
(`read_committed`), and they do not react to shadow events.
"""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from aiokafka import AIOKafkaProducer

from schemas.enums import Event, Mode
from schemas.inputs import InputName
from streams.local.demo.day import Garbage, Noise, PlannedDay
from streams.local.demo.script import Storyline
from streams.local.demo.stage import PARTITIONS, PREFIX
from streams.local.demo.tally import DemoTally, SeenEvent
from streams.operate.audit.records import iso, millis

TICK_SECONDS = 0.04
AGAIN = 0.3
"""The share of inputs that are sent twice; the first one of every kind is always sent twice."""


@dataclass
class Actors:
    """Sends the inputs of a day. `clock` returns seconds UTC; `begin`: when the day begins."""

    producer: AIOKafkaProducer
    day: PlannedDay
    garbage: tuple[Garbage, ...]
    tally: DemoTally
    clock: Callable[[], float]
    begin: float
    _due: list[tuple[float, int, Callable[[float], Awaitable[None]]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _kinds: set[str] = field(default_factory=set)
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _invitations: dict[str, str] = field(default_factory=dict)
    _deadlines: dict[str, float] = field(default_factory=dict)

    async def play(self) -> None:
        """Sends all inputs when they are due, those that `saw` adds included; until cancelled."""
        for noise in self.day.noise:
            self._plan(noise.at, partial(self._read, noise))
        for item in self.garbage:
            self._plan(item.at, partial(self._spoil, item))
        for story in self.day.stories.values():
            for index, step in enumerate(story.does):
                if step.event is None:
                    self._plan(step.seconds, partial(self._send, index, story))
        while True:
            now = self.clock()
            while self._due and self.begin + self._due[0][0] <= now:
                await heapq.heappop(self._due)[2](now)
            await asyncio.sleep(TICK_SECONDS)

    def saw(self, seen: SeenEvent) -> None:
        """Takes an event that was read: remembers its data, plans the steps that wait for it."""
        story = self.day.stories.get(seen.key)
        if story is None:
            return
        key, live = seen.key, seen.mode != Mode.SHADOW
        if live and seen.event == Event.INVITATION_ISSUED:
            self._invitations[key] = seen.value["invitation_id"]
        if live and seen.value.get("deadline_at"):
            self._deadlines[key] = millis(seen.value["deadline_at"]) / 1000
        self._counts[key, seen.mode, seen.event] += 1
        happened = (seen.event, self._counts[key, seen.mode, seen.event], not live)
        for index, step in enumerate(story.does):
            if (step.event, step.nth, step.shadow) == happened:
                at = self.clock() - self.begin + step.seconds
                self._plan(at, partial(self._send, index, story))

    def value(self, index: int, story: Storyline, now: float) -> dict[str, object] | None:
        """Returns the value of a step's input that is sent at `now`; None: a tombstone."""
        policy = self.day.policies[story.platform]

        def known(mark: str, seconds: float) -> object:
            if mark == "invitation":
                return self._invitations.get(story.key)
            if mark in ("covered", "exempt"):
                labels = policy.covered if mark == "covered" else policy.exempt
                return self.day.chance.choose(labels, "label", story.key)
            instant = now if mark == "now" else self._deadlines[story.key]
            return iso(int(1000 * (instant + seconds)))

        return story.value(index, known)

    def _plan(self, at: float, send: Callable[[float], Awaitable[None]]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), send))

    async def _read(self, noise: Noise, now: float) -> None:
        who = {"platform": noise.platform, "account_id": noise.account_id}
        value = {**who, "followers": noise.followers, "observed_at": iso(int(1000 * now))}
        await self._produce("follower-counts", noise.platform, noise.account_id, value)

    async def _send(self, index: int, story: Storyline, now: float) -> None:
        """Sends the input of a step; twice if it is the first of its kind, others by chance."""
        step, value = story.does[index], self.value(index, story, now)
        twice = (
            step.kind not in self._kinds or self.day.chance.draw("again", story.key, index) < AGAIN
        )
        self._kinds.add(step.kind)
        self.tally.duplicates += twice
        for _ in range(1 + twice):
            await self._produce(step.topic, story.platform, story.account_id, value)

    async def _produce(
        self, topic: InputName, platform: str, account_id: str, value: dict[str, object] | None
    ) -> None:
        own = value["switch"] if topic == "switches" and value else account_id
        text = None if value is None else json.dumps(value, ensure_ascii=False).encode()
        await self.producer.send(PREFIX + topic, text, f"{platform}:{own}".encode())
        self.tally.input(topic, platform, account_id)

    async def _spoil(self, item: Garbage, _: float) -> None:
        topic, partition = PREFIX + item.topic, None
        if item.elsewhere:
            sent = await self.producer.send_and_wait(topic, item.value, item.key)
            partition = (sent.partition + 1) % PARTITIONS
        await self.producer.send(topic, item.value, item.key, partition=partition)
        self.tally.sent[item.topic] += 1 + item.elsewhere
