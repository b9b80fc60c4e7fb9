"""Runs an imagined account under a policy, for the comparison of policies.

Its inputs follow from the events of the core: the notice is delivered when it is issued, and the
receipt comes a second later; the owner answers then or never; a new reading comes whenever a timer
is due, unless the account has only one reading. The result is its fate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from schemas.enums import Level, Mode
from schemas.inputs import InputName
from streams.core.model.instants import SECOND, milliseconds, rfc3339
from streams.core.model.policy import Policy
from streams.lives.partition import SentBox, SentRecord, SimulatedPartition

Answer = Literal["silent", "declined"]
NEVER = float("inf")
_NOT_EVENTS = frozenset({"decisions", "dead-letters", "switches"})
MOST_LOOKS = 500
"""How often a life's timers may wake it; a life that goes on is cut there."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class ImaginedAccount:
    """An account. Instants and durations are in ms.

    `since`: when its label and its count come. `falls_to`: the count from the delivery on, for
    `falls_for` (None: for good). `heard_once`: no reading comes after the first. `lifted`: an
    operator lifts the first cycle at its delivery. An account has at most one of these three.
    """

    account_id: str
    label: str
    followers: int
    since: int
    answer: Answer = "silent"
    falls_to: int | None = None
    falls_for: int | None = None
    heard_once: bool = False
    lifted: bool = False


class LifeRestriction(NamedTuple):
    """A restriction. `mode`, `level`: ranks, a greater one is stricter. `length`: ms."""

    mode: int
    level: int
    length: float


class Fate(NamedTuple):
    """What happens to an account; times in ms, NEVER if it does not happen.

    `enforced_at`, `invited_at`: the first invitation in enforce, and in any mode. `again_after`:
    from the end of a lifted first cycle to the next invitation. `time`: by mode, from delivery to
    deadline. `restricted`: by surface, its first restriction. `events`: all that were published.
    `cut`: after MOST_LOOKS it was not followed to its end.
    """

    enforced_at: float
    invited_at: float
    again_after: float
    time: dict[str, float]
    restricted: dict[str, LifeRestriction]
    events: tuple[dict[str, Any], ...]
    cut: bool = False


class Put(NamedTuple):
    """An input: its instant (ms), topic, and value without platform and account id."""

    at: int
    topic: InputName
    value: dict[str, Any]


def fate(policy: Policy, account: ImaginedAccount, until: int) -> tuple[Fate, list[Put]]:
    """Runs the account until an instant (ms). Returns its fate and the inputs that it was given."""
    life = _Life(policy, account)
    cut = not life.run(until)
    return read_fate(life.events, account)._replace(cut=cut), life.inputs


def led_again(policy: Policy, account: ImaginedAccount, inputs: Sequence[Put], until: int) -> Fate:
    """Runs the account with exactly these inputs until an instant (ms); returns its fate."""
    life = _Life(policy, account)
    for put in sorted(inputs, key=lambda it: it.at):
        life.partition.until(put.at, inclusive=False)
        life.put(put)
    life.partition.until(until)
    life.take()
    return read_fate(life.events, account)


class _Life:
    def __init__(self, policy: Policy, account: ImaginedAccount) -> None:
        self._account, self._policy = account, policy
        self._key = f"{policy.platform}:{account.account_id}".encode()
        self._sent = SentBox()
        self.partition = SimulatedPartition({policy.platform: policy}, self._sent, account.since)
        self.inputs: list[Put] = []
        self.events: list[dict[str, Any]] = []
        self._followers = account.followers
        self._read_at = -1
        self._recovers_at: int | None = None
        self._delivered = False

    def put(self, put: Put) -> None:
        """Applies one input now."""
        self.inputs.append(put)
        about = {"platform": self._policy.platform, "account_id": self._account.account_id}
        self.partition.put([(put.topic, self._key, _encode({**about, **put.value}))])

    def _say(self, topic: InputName, time: str, **value: Any) -> None:
        now = self.partition.now
        self.put(Put(now, topic, {**value, time: rfc3339(now)}))

    def _read(self) -> None:
        if self._read_at != self.partition.now:
            self._read_at = self.partition.now
            self._say("follower-counts", "observed_at", followers=self._followers)

    def run(self, until: int) -> bool:
        """Runs the life until an instant (ms). Returns whether it was followed so far."""
        partition, account = self.partition, self._account
        self._say("category-changes", "observed_at", category=account.label)
        self._read()
        self._go_on()
        for _ in range(MOST_LOOKS):
            due = partition.due()
            wake = min((it for it in (due, self._recovers_at) if it is not None), default=None)
            if wake is None or wake > until:
                return True
            partition.until(wake, inclusive=False)
            partition.now = max(partition.now, wake)
            if self._recovers_at is not None and self._recovers_at <= partition.now:
                self._followers, self._recovers_at = account.followers, None
                self._read()
            elif not account.heard_once:
                self._read()
            self._go_on()
        return False

    def _go_on(self) -> None:
        """Runs the timers that are due now, and gives the inputs that follow from their events."""
        self.partition.until(self.partition.now)
        for event in self.take():
            if event["event"] == _ISSUED and not self._delivered:
                # The receipt comes a second later and states the issue as time of delivery.
                issued_at = self.partition.now
                self.partition.until(issued_at + SECOND, inclusive=False)
                if event["mode"] == Mode.ENFORCE:
                    self._deliver(event["invitation_id"], issued_at)
                self._fall_or_lift()
        self.partition.until(self.partition.now)
        self.take()

    def _deliver(self, invitation_id: str, at: int) -> None:
        self._delivered = True
        receipt = {"invitation_id": invitation_id, "outcome": "delivered"}
        value = {**receipt, "occurred_at": rfc3339(at)}
        self.put(Put(self.partition.now, "notice-receipts", value))
        if self._account.answer == "declined":
            self._say("consent-answers", "occurred_at", answer="declined")

    def _fall_or_lift(self) -> None:
        account = self._account
        if account.falls_to is not None:
            self._followers, self._read_at = account.falls_to, -1
            if account.falls_for is not None:
                self._recovers_at = self.partition.now + account.falls_for
            self._read()
        if account.lifted and not any(it.topic == "controls" for it in self.inputs):
            word = {"control_id": "c1", "command": "lift", "actor": "op", "reason": "test"}
            self._say("controls", "issued_at", **word)

    def take(self) -> list[dict[str, Any]]:
        """Returns the events since the last call."""
        fresh = [_decode(sent.value or b"{}") for sent in _events(self._sent.taken())]
        self.events += fresh
        return fresh


def _events(sent: Sequence[SentRecord]) -> Iterator[SentRecord]:
    return (one for one in sent if one.topic not in _NOT_EVENTS)


def _at(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


_MODES = {Mode.SHADOW.value: 1, Mode.ENFORCE.value: 2}
_LEVELS = {Level.LIMITED.value: 1, Level.OFF.value: 2}


def read_fate(events: Sequence[dict[str, Any]], account: ImaginedAccount) -> Fate:
    """Derives the fate of an account from its events."""
    issued = [(it["mode"], _at(it["decided_at"])) for it in events if it["event"] == _ISSUED]
    enforced = min((at for mode, at in issued if mode == Mode.ENFORCE), default=NEVER)
    again = NEVER
    if account.lifted:
        again = _again_after(events)
    time: dict[str, float] = {}
    restricted: dict[str, LifeRestriction] = {}
    # Only the first cycle counts: notices of later ones are never delivered here.
    for it in (event for event in events if event["cycle"] == 1):
        if it["event"] == "invitation.delivered" and it["mode"] not in time:
            end, begin = it["deadline_at"], _at(it["delivered_at"])
            time[it["mode"]] = NEVER if end is None else _at(end) - begin
        if it["event"] == "throttle.applied" and it["surface"] not in restricted:
            length = _at(it["expires_at"]) - _at(it["effective_at"])
            restricted[it["surface"]] = LifeRestriction(
                _MODES[it["mode"]], _LEVELS[it["level"]], length
            )
    return Fate(
        enforced,
        min((at for _, at in issued), default=NEVER),
        again,
        time,
        restricted,
        tuple(events),
    )


def _again_after(events: Sequence[dict[str, Any]]) -> float:
    """Returns the time (ms) from the first cancellation to the next invitation, or NEVER."""
    ended_at: int | None = None
    for it in events:
        if ended_at is None and it["event"] == "invitation.cancelled":
            ended_at = _at(it["decided_at"])
        elif ended_at is not None and it["event"] == _ISSUED:
            return _at(it["decided_at"]) - ended_at
    return NEVER


_ISSUED = "invitation.issued"


def smaller_first(account: ImaginedAccount) -> tuple[int, int, int]:
    """Sort key by which simpler accounts come first."""
    said = [account.falls_to, account.falls_for, account.heard_once or None, account.lifted or None]
    more = sum(it is not None for it in said) + (account.answer != "silent")
    return more, account.followers, account.since
