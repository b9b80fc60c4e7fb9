"""Random histories: all seven inputs, late and out of order, doubled, with restarts and new rules.

A history is a function of its seed. It first leads an account some way (invited, delivered,
expired), for deep states are rare by chance alone, and then does a dozen random things.
"""

from random import Random
from typing import Any

from schemas.enums import Mode
from streams.core.model.ids import invitation_id
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, MINUTE
from tests.core.invariants.policies import LATE, family
from tests.core.invariants.world import TIMES, WorldRun

CANARY = "王小明CANARY"
"""Stands where a person's name might: in unknown fields and unknown labels."""

NAME = CANARY.encode()[-6:]
"""What is looked for in outputs and state."""

_LABELS = ("财经", "财经", "财经", "法律", "军事", "日常生活", CANARY)
_COUNTS = (1500, 1500, 1000, 999, 960, 850, 700, 500, 480, 100, 0, 5000)
_CAUSES = (None, None, None, None, "owner_purge", "platform_purge", "correction")
_CHANGES = ("closed", "reopened", "reopened", "owner_changed", "exempted", "exemption_ended")
_COMMANDS = (
    *("hold", "hold", "unhold", "lift", "extend", "reissue", "settle", "settle"),
    *("appeal_opened", "appeal_upheld", "appeal_rejected"),
)
_SWITCHES = (
    *("adverse_off", "invitations_off", "throttles_off", "answers_paused"),
    *("adverse_off", "invitations_off", "throttles_off", "answers_paused", "refusals_settled"),
)
_WAITS = (1, MINUTE, HOUR, HOUR, 6 * HOUR, 30 * HOUR, 4 * DAY)


class History:
    """One random history, played."""

    def __init__(
        self, draw: Random, families: list[tuple[Policy, ...]], sealed_after: int | None = None
    ) -> None:
        self.draw = draw
        self.versions = families[draw.randrange(len(families))]
        self.run = WorldRun(self.versions[0], sealed_after=sealed_after)
        self.version = 0
        self.platform = self.versions[0].platform
        self.accounts = ("a", "b", "c")[: draw.choice((1, 1, 1, 1, 2, 3))]
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.ids = 0
        self.instants: set[int] = set()

    def play(self, length: int) -> WorldRun:
        """The beginning, then as many random things as told, then all that is due."""
        for account in self.accounts:
            self.lead(account, self.draw.randrange(9))
        acts, weights = zip(*_ACTS, strict=True)
        for act in self.draw.choices(acts, weights, k=length):
            act(self, self.accounts[self.draw.randrange(len(self.accounts))])
        self.run.wait(self.draw.choice((0, HOUR, 6 * DAY)), hops=20)
        self.run.run_timers()
        return self.run

    def lead(self, account: str, how_far: int) -> None:
        """Label, reading and dwell; receipt; an answer, a brake or a new policy; the deadline."""
        if how_far == 0:
            return
        now = self.run.now
        self.put("category-changes", account, category="财经", observed_at=now)
        reading: dict[str, Any] = {"followers": 1500, "observed_at": now}
        if self.draw.random() < 0.1:
            reading["cause"] = "correction"
        self.put("follower-counts", account, **reading)
        stability = self.run.policies[self.platform].stability
        self.run.wait(stability.dwell)
        if how_far >= 2:
            self.receipt(account, "delivered", 0)
        if how_far == 3:
            self.put("consent-answers", account, answer="declined", occurred_at=self.run.now)
        if how_far == 4:
            self.put("consent-answers", account, answer="granted", occurred_at=self.run.now)
        if how_far >= 4 and self.draw.random() < 0.3:
            (_switch if self.draw.random() < 0.5 else _policy)(self, account)
        if how_far >= 5:
            window = self.run.policies[self.platform].notice.answer_window or 0
            self.run.wait(window)

    def put(self, topic: str, account: str, **value: Any) -> None:
        """An input of an account, remembered for a second delivery."""
        value = {"platform": self.platform, "account_id": account, **value}
        chance = self.draw.random()
        if chance < 0.08:
            value["note" if chance < 0.06 else "real_name"] = CANARY
        self.instants |= {value[name] for name in TIMES & value.keys()}
        before = self.run.memory.raw
        known = len(before)
        key = f"{self.platform}:{account}"
        self.run.put(topic, key, value)
        if topic not in ("notice-receipts", "consent-answers") or len(before) > known + 1:
            self.sent.append((topic, key, value))

    def late(self) -> int:
        """When something happened that is told now."""
        self.run.now += 1
        at = self.run.now - LATE[self.draw.randrange(len(LATE))]
        while at in self.instants:
            at -= 1
        self.instants.add(at)
        return at

    def cycle(self, account: str) -> str:
        """The id of the account's last live invitation, or now and then of another."""
        number = 1
        for step in reversed(self.run.trace):
            for _, event in step.events:
                if event["account_id"] == account and event["mode"] == "enforce":
                    number = max(number, event["cycle"])
        if self.draw.random() < 0.1:
            number += self.draw.choice((-1, 1))
        return invitation_id(self.platform, account, Mode.ENFORCE, number)

    def receipt(self, account: str, outcome: str, late: int) -> None:
        """The notifier's word."""
        at = self.run.now - late
        value = {"invitation_id": self.cycle(account), "outcome": outcome, "occurred_at": at}
        if outcome == "failed":
            value["failure"] = self.draw.choice((None, "blocked", "unreachable"))
        self.put("notice-receipts", account, **value)


def _reading(history: History, account: str) -> None:
    draw = history.draw
    value = {"followers": draw.choice(_COUNTS), "observed_at": history.late()}
    cause = draw.choice(_CAUSES)
    if cause is not None:
        value["cause"] = cause
    history.put("follower-counts", account, **value)


def _label(history: History, account: str) -> None:
    draw = history.draw
    if draw.random() < 0.15:
        key = f"{history.platform}:{account}"
        history.run.put("category-changes", key, None)
        # A tombstone has no instant: a label told again after it counts as new.
        label = ("category-changes", key)
        history.sent = [sent for sent in history.sent if sent[:2] != label]
        return
    at = history.late()
    value = {"category": draw.choice(_LABELS), "observed_at": at}
    if draw.random() < 0.3:
        value["valid_until"] = at + draw.choice(_WAITS)
    history.put("category-changes", account, **value)


def _change(history: History, account: str) -> None:
    change = history.draw.choice(_CHANGES)
    history.put("account-changes", account, change=change, observed_at=history.late())


def _receipt(history: History, account: str) -> None:
    outcome = history.draw.choice(("delivered", "delivered", "delivered", "failed"))
    history.receipt(account, outcome, history.run.now - history.late())


def _answer(history: History, account: str) -> None:
    draw = history.draw
    value = {"answer": draw.choice(("granted", "declined", "withdrawn"))}
    value["occurred_at"] = history.late()
    if draw.random() < 0.5:
        value["invitation_id"] = history.cycle(account)
    if draw.random() < 0.3:
        value["notice_version"] = draw.choice(("1", "1", "2"))
    history.put("consent-answers", account, **value)


def _control(history: History, account: str) -> None:
    draw = history.draw
    history.ids += 1
    command = draw.choice(_COMMANDS)
    at = history.late()
    value = {"control_id": f"c{history.ids}", "command": command, "actor": "op", "issued_at": at}
    if command == "hold" and draw.random() < 0.6:
        value["expires_at"] = at + draw.choice(_WAITS)
    if command == "extend":
        value["until"] = history.run.now + draw.choice(_WAITS)
    if command.startswith("appeal") and draw.random() < 0.5:
        value["appeal_id"] = draw.choice(("p1", "p2"))
    history.put("controls", account, reason=draw.choice(("test", "test", "appeal")), **value)


def _unreadable(history: History, account: str) -> None:
    """A word that nobody can read: of this account, or of nobody knows whom."""
    draw = history.draw
    topic, wrong = draw.choice(
        (
            ("consent-answers", {"answer": "perhaps", "occurred_at": history.late()}),
            ("account-changes", {"change": "gone", "observed_at": history.late()}),
            ("controls", {"command": "stop", "issued_at": history.late()}),
        )
    )
    key = f"{history.platform}:{account}" if draw.random() < 0.9 else "nobody"
    value = {"platform": history.platform, "account_id": account, **wrong}
    history.run.put(topic, key, value)


def _cluster(history: History, _: str) -> None:
    """The cluster changes under the worker."""
    history.run.change_cluster()


def _switch(history: History, _: str) -> None:
    draw = history.draw
    scope = draw.choice(("*", history.platform, "douyin"))
    name = draw.choice(_SWITCHES)
    value = {"scope": scope, "switch": name, "on": draw.random() < 0.6, "actor": "op"}
    value |= {"reason": "incident", "issued_at": history.late()}
    key = f"{scope}:{name}"
    history.run.put("switches", key, value)
    history.sent.append(("switches", key, value))


def _redelivery(history: History, _: str) -> None:
    """Any earlier input once more, when nothing else is due that could hide its effect."""
    if history.sent:
        history.run.run_timers()
        topic, key, value = history.draw.choice(history.sent)
        history.run.put(topic, key, value, redelivered=True)


def _wait(history: History, _: str) -> None:
    """Until just before, at or after the next timer, or for some time."""
    due = history.run.partition.due()
    if due is not None and due > history.run.now and history.draw.random() < 0.6:
        history.run.wait(max(0, due - history.run.now + history.draw.choice((-1, 0, 0, 1))))
    else:
        history.run.wait(history.draw.choice(_WAITS), hops=12)


def _jump(history: History, _: str) -> None:
    """The worker sleeps, or its clock steps forward; now and then it looks only so far back."""
    history.run.now += history.draw.choice(_WAITS)
    if history.draw.random() < 0.3:
        back = history.draw.choice((0, 1, HOUR))
        history.run.run_timers(history.run.now - back, favourable_only=history.draw.random() < 0.3)


def _restart(history: History, _: str) -> None:
    history.run.open()


def _policy(history: History, _: str) -> None:
    if history.version + 1 < len(history.versions):
        history.version += 1
        history.run.open(history.versions[history.version])
        if history.draw.random() < 0.7:
            history.run.run_timers()


_ACTS = (
    (_reading, 18),
    (_label, 8),
    (_change, 6),
    (_receipt, 10),
    (_answer, 12),
    (_control, 10),
    (_switch, 8),
    (_redelivery, 8),
    (_wait, 22),
    (_jump, 4),
    (_restart, 3),
    (_unreadable, 5),
    (_cluster, 1),
    (_policy, 4),
)


class Supply:
    """Policy families by the hundred, drawn anew now and then: making one costs as much as a day
    under it.
    """

    def __init__(self, seed: int, size: int = 300, renewed_after: int = 5000) -> None:
        self._seed, self._size, self._after = seed, size, renewed_after
        self._lot, self._families = -1, list[tuple[Policy, ...]]()

    def families(self, number: int) -> list[tuple[Policy, ...]]:
        """The families of the history of this number."""
        lot = number // self._after
        if lot != self._lot:
            draw = Random(self._seed * 7919 + lot)
            self._lot, self._families = lot, [family(draw) for _ in range(self._size)]
        return self._families


def play(seed: int, number: int, supply: Supply, sealed_after: int | None = None) -> WorldRun:
    """The history of a seed and a number."""
    draw = Random(seed * 1_000_003 + number)
    history = History(draw, supply.families(number), sealed_after)
    return history.play(draw.choice((1, 2, 2, 3, 4, 6, 12)))
