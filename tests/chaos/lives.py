"""What becomes of an account, told as it happens: each life sends inputs and waits for events.

A life is a generator: it yields `Wait` for an event, or seconds to let pass. Instants are now's;
which life an account gets, and all its choices, come from its own seed.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos.sending import Sender, wire_time

LINES = {"weibo": 500_000, "douyin": 500_000, "bilibili": 500_000}
COVERED = ("财经", "法律", "医疗")
PATIENCE_SECONDS = 45.0


@dataclass(frozen=True)
class Wait:
    """For one of these events; after `seconds` without it the life goes on and gets None."""

    events: frozenset[str]
    seconds: float = PATIENCE_SECONDS


Step = Generator[Wait | float, dict[str, Any] | None, None]


def until(*events: str, seconds: float = PATIENCE_SECONDS) -> Wait:
    """Wait for one of these events."""
    return Wait(frozenset(events), seconds)


class ChaosAccount:
    """Sends the inputs of one account."""

    def __init__(self, sender: Sender, platform: str, name: str, seed: str) -> None:
        self.platform, self.name = platform, name
        self.key = f"{platform}:{name}"
        self.random = Random(seed)
        self.invitation_id: str | None = None
        self.controls = 0
        self.closed = self.exempt = False
        self._sender = sender

    def send(self, topic: str, field: str, ago: float = 0.0, **value: Any) -> None:
        """One input, observed `ago` seconds ago."""
        who = {"platform": self.platform, "account_id": self.name}
        at = wire_time(time.time() - ago)
        self._sender.send(topic, {**who, field: at, **value}, self.key)

    def reads(self, share: float, **more: Any) -> None:
        """A reading of `share` times the line."""
        followers = int(LINES[self.platform] * share)
        self.send("follower-counts", "observed_at", followers=followers, **more)

    def label(self, category: str | None = None, **more: Any) -> None:
        """A label, one that counts unless another is named."""
        category = category or self.random.choice(COVERED)
        self.send("category-changes", "observed_at", category=category, **more)

    def unlabel(self) -> None:
        """The label's tombstone."""
        self._sender.send("category-changes", None, self.key)

    def change(self, change: str) -> None:
        """closed, reopened, owner_changed, exempted, exemption_ended."""
        self.closed = change == "closed" or (self.closed and change != "reopened")
        self.exempt = change == "exempted" or (self.exempt and change != "exemption_ended")
        self.send("account-changes", "observed_at", change=change)

    def receipt(self, outcome: str = "delivered", **more: Any) -> None:
        """The notifier's word on the present invitation."""
        if self.invitation_id is not None:
            self.send(
                "notice-receipts",
                "occurred_at",
                invitation_id=self.invitation_id,
                outcome=outcome,
                **more,
            )

    def answers(self, answer: str, named: bool = False) -> None:
        """The owner's word."""
        more = {"invitation_id": self.invitation_id} if named and self.invitation_id else {}
        self.send("consent-answers", "occurred_at", answer=answer, **more)

    def control(self, command: str, **more: Any) -> None:
        """An operator's word."""
        self.controls += 1
        control_id = f"{self.name}-{self.controls}-{command}"
        self.send(
            "controls",
            "issued_at",
            control_id=control_id,
            command=command,
            actor="desk-1",
            reason="test",
            **more,
        )

    def invite(self) -> Step:
        """Label and reading in either order; then the invitation."""
        first, second = (self.label, lambda: self.reads(1 + self.random.random()))
        if self.random.random() < 0.5:
            first, second = second, first
        first()
        if self.random.random() < 0.5:
            yield self.random.uniform(0.05, 2.0)
        second()
        yield until("invitation.issued")

    def deliver(self) -> Step:
        """The notice reaches the owner."""
        yield self.random.uniform(0, 1.5)
        self.receipt()
        yield until("invitation.delivered")


def grants(account: ChaosAccount) -> Step:
    """Asked, told, agrees; perhaps takes it back."""
    yield from account.invite()
    yield from account.deliver()
    yield account.random.uniform(0, 9)
    account.answers("granted", named=account.random.random() < 0.5)
    yield until("consent.granted")
    if account.random.random() < 0.6:
        yield account.random.uniform(0, 5)
        account.answers("withdrawn")
        yield until("consent.withdrawn")


def declines(account: ChaosAccount) -> Step:
    """Says no, is restricted at the deadline, thinks better of it, late."""
    yield from account.invite()
    yield from account.deliver()
    yield account.random.uniform(0, 5)
    account.answers("declined")
    yield until("invitation.expired")
    yield account.random.uniform(0, 20)
    if account.random.random() < 0.7:
        account.answers("granted")
        yield until("consent.granted")


def is_silent(account: ChaosAccount) -> Step:
    """Never answers: reminded, restricted, reviewed, ended."""
    yield from account.invite()
    yield from account.deliver()
    yield until("invitation.expired")
    yield until("throttle.lifted", seconds=80)


def races(account: ChaosAccount) -> Step:
    """Answers in the very last moment, or just after it."""
    yield from account.invite()
    yield account.random.uniform(0, 1)
    account.receipt()
    event = yield until("invitation.delivered")
    if event is None or event.get("deadline_at") is None:
        return
    left = _seconds(event["deadline_at"]) - time.time() + account.random.uniform(-0.5, 0.3)
    yield max(0.0, left)
    account.answers("granted")
    yield until("consent.granted")


def crosses(account: ChaosAccount) -> Step:
    """Receipt and answer at once, in either order."""
    yield from account.invite()
    words = [account.receipt, lambda: account.answers("granted")]
    account.random.shuffle(words)
    for word in words:
        word()
        if account.random.random() < 0.5:
            yield account.random.uniform(0, 0.05)
    yield until("consent.granted")
    if account.random.random() < 0.5:
        account.change(account.random.choice(["owner_changed", "closed"]))
        yield until("consent.voided")


def falls(account: ChaosAccount) -> Step:
    """Falls below the line after the invitation: leaves, or comes back in time."""
    yield from account.invite()
    yield from account.deliver()
    yield account.random.uniform(0, 6)
    account.reads(0.85)
    if account.random.random() < 0.4:
        yield account.random.uniform(0.5, 3)
        account.reads(1.1)
        yield until("invitation.expired")
    else:
        yield until("invitation.cancelled", "invitation.expired")


def goes(account: ChaosAccount) -> Step:
    """Something ends the ground: exempted, no label, closed, another owner."""
    yield from account.invite()
    if account.random.random() < 0.7:
        yield from account.deliver()
    yield account.random.uniform(0, 25)
    end = account.random.randrange(5)
    if end < 3:
        account.change(("exempted", "closed", "owner_changed")[end])
    elif end == 3:
        account.unlabel()
    else:
        account.label("日常生活")
    yield until("invitation.cancelled", "throttle.lifted", seconds=20)


def is_unreachable(account: ChaosAccount) -> Step:
    """The notice does not arrive; perhaps a second one does."""
    yield from account.invite()
    account.receipt("failed", failure="blocked")
    yield until("invitation.undeliverable")
    if account.random.random() < 0.7:
        account.control("reissue")
        yield until("invitation.issued")
        yield from account.deliver()
        yield account.random.uniform(0, 3)
        account.answers("granted")
        yield until("consent.granted")


def is_handled(account: ChaosAccount) -> Step:
    """An operator steps in: holds, extends, lifts, hears an appeal."""
    yield from account.invite()
    yield from account.deliver()
    yield account.random.uniform(0, 4)
    way = account.random.randrange(4)
    if way == 0:
        account.control("hold")
        yield account.random.uniform(1, 8)
        account.control("unhold")
        yield until("invitation.expired", seconds=60)
    elif way == 1:
        account.control("extend", until=wire_time(time.time() + account.random.uniform(20, 30)))
        yield until("invitation.expired", seconds=60)
    elif way == 2:
        account.control("appeal_opened")
        yield account.random.uniform(1, 6)
        account.control(account.random.choice(["appeal_upheld", "appeal_rejected"]))
        yield until("invitation.cancelled", "invitation.expired", seconds=60)
    else:
        yield until("invitation.expired")
        account.control("lift")
        yield until("throttle.lifted")


def hesitates(account: ChaosAccount) -> Step:
    """Dwells, falls below before the dwell is over, crosses again."""
    account.label()
    account.reads(1.05)
    yield account.random.uniform(0.1, 1.5)
    account.reads(0.95)
    yield account.random.uniform(0.1, 1.5)
    account.reads(1.2, cause="correction")
    yield account.random.uniform(0.1, 1.0)
    yield from account.invite()


def again(account: ChaosAccount) -> Step:
    """What makes an account that had a life ready for the next one."""
    account.answers("withdrawn")
    if account.closed:
        account.change("reopened")
    if account.exempt:
        account.change("exemption_ended")
    yield account.random.uniform(7, 12)


LIVES: tuple[Callable[[ChaosAccount], Step], ...] = (
    grants,
    declines,
    is_silent,
    races,
    races,
    crosses,
    falls,
    goes,
    is_unreachable,
    is_handled,
    hesitates,
)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
