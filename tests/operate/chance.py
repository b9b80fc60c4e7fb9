"""Random histories of a few accounts: words that come late, twice, crossed, badly formed or early.

Every draw comes from one seed, so that a history can be told by its number. Those of even numbers
are calm: nearly nothing in them is in doubt, so that more is restricted.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from streams.core.model.policy import Notice, Phase, Policy
from streams.operate.audit.records import HOUR, MINUTE, iso
from tests.core.given import DAY, START, policy, stability
from tests.operate.recording import Tape, invited

AGO = (0, 0, 0, 1, 1000, MINUTE, 6 * MINUTE, HOUR, 3 * HOUR, DAY, 5 * DAY, 30 * DAY, -2 * MINUTE)
ODD_TIMES = (-HOUR, 30 * 366 * DAY)
WAITS = (1, MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 12 * DAY)
COMMANDS = (
    *("hold", "hold", "unhold", "extend", "reissue", "lift", "settle"),
    *("appeal_opened", "appeal_opened", "appeal_rejected", "appeal_upheld"),
)
CHANGES = ("exempted", "exemption_ended", "closed", "reopened", "owner_changed")
SWITCHES = ("adverse_off", "answers_paused", "throttles_off", "refusals_settled")
ACCOUNTS = "abc"
NONSENSE: tuple[bytes | None, ...] = (b"{", b"", None, b"[]", b'{"platform":"weibo"}', b"\xff")
BAD_KEYS = ("weibo:a", "weibo:b", "weibo:c", "nobody", "weibo:x y", "zhihu:a", None)
TOPICS = (
    *("consent-answers", "account-changes", "controls", "notice-receipts"),
    *("category-changes", "follower-counts"),
)


class AuditChance:
    """One random history in the making."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.calm = seed % 2 == 0
        self.policy = self._policy(1)
        self.tape = Tape(self.policy)
        self.version = 1
        self.acted_at, self.asleep = 0, False
        self.said: list[Callable[[], Any]] = []

    def history(self) -> Tape:
        """Some dozens of words about three accounts, then a month in peace."""
        for account in ACCOUNTS:
            invited(self.tape, account)
        self.acted_at = self.tape.now
        for _ in range(self.draw.randint(10, 60)):
            self.word(self.draw.choice(ACCOUNTS))
        return self.tape.wait(DAY).sealed()

    def at(self) -> int:
        """An instant of a word's own: mostly now or a while ago, seldom nonsense."""
        if self.draw.random() < 0.03 and not self.calm:
            return self.tape.now - self.draw.choice(ODD_TIMES)
        return self.tape.now - self.draw.choice(AGO)

    def word(self, account: str) -> None:
        """One more word, or some time passes."""
        kinds = (
            *("answer", "receipt", "control", "switch", "change", "reading", "label"),
            *("wait", "nonsense", "again", "world"),
        )
        doubtful = (24, 14, 18, 6, 7, 7, 5, 18, 4, 4, 3)
        calm = (14, 22, 10, 3, 2, 6, 3, 32, 0, 4, 1)
        weights = calm if self.calm else doubtful
        kind = self.draw.choices(kinds, weights)[0]
        if self.draw.random() < 0.15 and kind not in ("wait", "nonsense", "again", "world"):
            # What entered before a timer acted was read before it.
            entry = self.tape.now - self.draw.choice((0, 1, MINUTE, HOUR, 3 * DAY))
            self.tape.entered(max(entry, self.acted_at))
        match kind:
            case "answer":
                self._answer(account)
            case "receipt":
                outcome = self.draw.choice(("delivered", "delivered", "failed"))
                cycle = self.draw.choice((1, 1, 2, 3))
                self._say("receipt", outcome, account, cycle=cycle, at=self.at())
            case "control":
                self._control(account)
            case "switch":
                scope = self.draw.choice(("*", "weibo"))
                on = self.draw.random() < 0.5
                names = SWITCHES[:-1] if self.calm else SWITCHES
                self._say("switch", self.draw.choice(names), on, scope=scope, at=self.at())
            case "change":
                self._say("change", self.draw.choice(CHANGES), account, at=self.at())
            case "reading":
                self._reading(account)
            case "label":
                self._label(account)
            case "wait":
                self._wait()
            case "nonsense":
                self._nonsense()
            case "again" if self.said:
                self.draw.choice(self.said)()
            case _:
                self._world()

    def _say(self, method: str, *words: Any, **more: Any) -> None:
        say = getattr(self.tape, method)
        self.said.append(lambda: say(*words, **more))
        say(*words, **more)

    def _answer(self, account: str) -> None:
        more: dict[str, Any] = {}
        if self.draw.random() < 0.2:
            more["notice_version"] = self.draw.choice("123")
        if self.draw.random() < 0.1 and not self.calm:
            more["invitation_id"] = "another"
        word = self.draw.choice(("granted", "declined", "declined", "withdrawn"))
        self._say("answer", word, account, at=self.at(), **more)

    def _control(self, account: str) -> None:
        command, now = self.draw.choice(COMMANDS), self.tape.now
        more: dict[str, Any] = {}
        if command == "hold" and self.draw.random() < 0.7:
            more["expires_at"] = iso(now + self.draw.choice((-HOUR, HOUR, DAY, 4 * DAY)))
        if command == "extend":
            more["until"] = iso(now + self.draw.choice((DAY, 6 * DAY, -DAY)))
        if command.startswith("appeal") and self.draw.random() < 0.6:
            more["appeal_id"] = self.draw.choice("xyz")
        if command == "unhold" and self.draw.random() < 0.3:
            more["reason"] = "appeal"
        if self.draw.random() < 0.1:
            more["control_id"] = "one-of-many"
        self._say("control", command, account, at=self.at(), **more)

    def _reading(self, account: str) -> None:
        more = {"cause": self.draw.choice(("correction", "platform_purge"))}
        count = self.draw.choice((100, 700, 890, 950, 1200, 2000, 3000))
        kept = more if self.draw.random() < 0.15 else {}
        self._say("reads", count, account, at=self.at(), **kept)

    def _label(self, account: str) -> None:
        label = self.draw.choice(("财经", "财经", "法律", "日常生活", "体育", None))
        more: dict[str, Any] = {}
        if label and self.draw.random() < 0.3:
            more["valid_until"] = iso(self.tape.now + self.draw.choice((-DAY, HOUR, 4 * DAY)))
        self._say("label", label, account, at=self.at(), **more)

    def _nonsense(self) -> None:
        key, value = self.draw.choice(BAD_KEYS), self.draw.choice(NONSENSE)
        topic = self.draw.choice(TOPICS)
        many = 110 if self.draw.random() < 0.1 else 1
        if self.draw.random() < 0.1:
            self.tape.unreadable(topic, many)
            return
        for _ in range(many):
            self.tape.put(topic, key, value)

    def _wait(self) -> None:
        how, milliseconds = self.draw.random(), self.draw.choice(WAITS)
        if self.asleep:
            # Who slept reads what lies there, and then acts, before more time passes.
            self.tape.run_timers()
            self.acted_at, self.asleep = self.tape.now, False
        if how < 0.7:
            self.tape.wait(milliseconds)
            self.acted_at = self.tape.now
        elif how < 0.85:
            self.tape.now += milliseconds
            self.asleep = True
        else:
            self.tape.now += milliseconds
            tape = self.tape
            while tape.partition.run_timers(tape.tables, tape.now, tape.now, 1000, True):
                pass
            self.acted_at, self.asleep = tape.now, True
            tape.sealed()

    def _world(self) -> None:
        if self.draw.random() < 0.3:
            self.tape.partition.cluster_changed(self.tape.now)
            self.tape.sealed()
        self.version += 1
        self.policy = self._policy(self.version)
        self.tape.open(self.policy)
        self.acted_at, self.asleep = self.tape.now, True
        self.tape.sealed()

    def _policy(self, version: int) -> Policy:
        draw = self.draw
        if version == 1 and draw.random() < 0.5:
            return policy()
        base = policy()
        surfaces = dict(base.consequence.surfaces)  # type: ignore[union-attr]
        if draw.random() < 0.2:
            surfaces.popitem()
        after = draw.choice((20 * DAY, 20 * DAY, 5 * DAY, 30 * DAY))
        on = draw.choice((frozenset({"declined", "no_answer"}), frozenset({"no_answer"})))
        notice = draw.choice("1123")
        reminders = draw.choice(((), (DAY,), (2 * DAY, DAY, HOUR)))
        name = "first" if draw.random() < 0.9 else "other"
        line = draw.choice((1000, 1000, 1000, 1500))
        return replace(
            base,
            version=version,
            notice=Notice("weibo-notice", notice, notice == "3", 3 * DAY, reminders),
            phases=(Phase(name, line, START - 30 * DAY, None, None),),
            stability=stability(
                dwell=draw.choice((0, HOUR, HOUR, DAY)),
                leave_after=draw.choice((7 * DAY, DAY)),
                max_age=draw.choice((None, None, 10 * DAY)),
            ),
            consequence=replace(base.consequence, surfaces=surfaces, expires_after=after, on=on),  # type: ignore[type-var]
            keep_on_fall_below=draw.random() < 0.1,
        )


def history(seed: int) -> Tape:
    """The history of this number."""
    return AuditChance(seed).history()
