"""Everything that is sent: a crowd of readings, lives side by side, brakes, at steady rates."""

import heapq
import itertools
import queue
import threading
import time
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos.lives import LIVES, ChaosAccount, Step, Wait, again
from tests.chaos.sending import Sender, wire_time

TICK_SECONDS = 0.02
PLATFORMS = ("weibo", "weibo", "douyin", "douyin", "bilibili")


@dataclass(frozen=True)
class TrafficRates:
    """How much is sent, per second. `known`: share of the crowd whose count is kept as state.

    `accounts`: so many have lives, one after the other; None: new ones keep coming.
    """

    readings: float = 400.0
    lives: float = 4.0
    accounts: int | None = None
    crowd: int = 20_000
    known: float = 0.1
    brakes_every: float = 45.0


class _Living:
    """A life that is being lived."""

    def __init__(self, account: ChaosAccount, steps: Step) -> None:
        self.account, self.steps = account, steps
        self.waits: frozenset[str] = frozenset()
        self.turn = 0


class Traffic:
    """One thread that sends until `stop`; `hear` takes the events that come out."""

    def __init__(self, sender: Sender, seed: int | str, rates: TrafficRates) -> None:
        self.sender, self.rates = sender, rates
        self.lives_begun = 0
        self._accounts = 0
        self._random = Random(f"traffic-{seed}")
        self._seed = seed
        self._heard: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._living: dict[str, _Living] = {}
        self._rested: list[tuple[float, ChaosAccount]] = []
        self._heap: list[tuple[float, int, int, _Living]] = []
        self._order = itertools.count()
        self._brakes: list[tuple[str, str]] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more, release the brakes, and wait for the broker's word on the rest."""
        self._ending.set()
        self._thread.join()
        self.release()

    def release(self) -> None:
        """Release the brakes, and wait for the broker's word on all that was sent."""
        for scope, switch in self._brakes:
            self._switch(scope, switch, on=False)
        self._brakes = []
        self.sender.flush()

    def hear(self, key: str, event: dict[str, Any]) -> None:
        """An event came out."""
        self._heard.put((key, event))

    def _run(self) -> None:
        self.begin()
        while not self._ending.wait(TICK_SECONDS):
            self.tick()

    def begin(self) -> None:
        """From this instant on things are owed."""
        self._last = time.monotonic()
        self._owed = {"readings": 0.0, "lives": 0.0}
        self._brake_at = self._last + self.rates.brakes_every

    def tick(self) -> None:
        """Send what is due by now."""
        now = time.monotonic()
        for name in self._owed:
            self._owed[name] += (now - self._last) * getattr(self.rates, name)
        self._last = now
        while self._owed["readings"] >= 1:
            self._owed["readings"] -= 1
            self._reading()
        while self._owed["lives"] >= 1:
            self._owed["lives"] -= 1
            self._begin(now)
        self._listen(now)
        self._advance(now)
        self.sender.tick()
        if now >= self._brake_at:
            self._brake_at = now + self.rates.brakes_every * self._random.uniform(0.3, 1.2)
            self._brake()

    def _reading(self) -> None:
        dice = self._random
        platform, number = dice.choice(PLATFORMS), dice.randrange(self.rates.crowd)
        known = number < self.rates.crowd * self.rates.known
        followers = dice.randrange(600_000, 900_000) if known else dice.randrange(1, 400_000)
        account = f"c{number}"
        late = dice.random() < 0.05
        at = time.time() - (dice.uniform(1, 30) if late else 0)
        self.sender.reading(f"{platform}:{account}", platform, account, followers, at)

    def _begin(self, now: float) -> None:
        dice = self._random
        life = dice.choice(LIVES)
        full = self._accounts == self.rates.accounts
        rested = bool(self._rested) and self._rested[0][0] <= now
        if full and not rested:
            return
        self.lives_begun += 1
        if rested and (full or dice.random() < 0.4):
            _, account = self._rested.pop(0)
            steps = _both(again(account), life(account))
        else:
            self._accounts += 1
            name = f"a{self._accounts}"
            seed = f"{self._seed}-{name}"
            account = ChaosAccount(self.sender, dice.choice(PLATFORMS), name, seed)
            steps = life(account)
        living = _Living(account, steps)
        self._living[account.key] = living
        self._go_on(living, None, now)

    def _go_on(self, living: _Living, event: dict[str, Any] | None, now: float) -> None:
        living.turn += 1
        try:
            step = living.steps.send(event if living.turn > 1 else None)
        except StopIteration:
            self._living.pop(living.account.key, None)
            self._rested.append((now + 5, living.account))
            return
        living.waits = step.events if isinstance(step, Wait) else frozenset()
        at = now + (step.seconds if isinstance(step, Wait) else step)
        heapq.heappush(self._heap, (at, next(self._order), living.turn, living))

    def _listen(self, now: float) -> None:
        while not self._heard.empty():
            key, event = self._heard.get()
            living = self._living.get(key)
            if living is None:
                continue
            if event["event"] == "invitation.issued" and event["mode"] == "enforce":
                living.account.invitation_id = event["invitation_id"]
            if event["event"] in living.waits:
                self._go_on(living, event, now)

    def _advance(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            _, _, turn, living = heapq.heappop(self._heap)
            if turn == living.turn:
                self._go_on(living, None, now)

    def _brake(self) -> None:
        """Pull a brake, or release those that are pulled. One platform is left in peace."""
        if self._brakes:
            for scope, switch in self._brakes:
                self._switch(scope, switch, on=False)
            self._brakes = []
            return
        names = ("adverse_off", "invitations_off", "throttles_off", "answers_paused")
        brake = ("weibo", self._random.choice(names))
        self._switch(*brake, on=True)
        self._brakes.append(brake)

    def _switch(self, scope: str, switch: str, *, on: bool) -> None:
        value = {"scope": scope, "switch": switch, "on": on, "actor": "desk-1", "reason": "test"}
        self.sender.send("switches", {**value, "issued_at": wire_time(time.time())})


def _both(first: Step, second: Step) -> Step:
    yield from first
    yield from second
