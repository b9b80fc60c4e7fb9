"""A recording: everything that lay in the topics after a long scripted history of the core."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from schemas.enums import Mode, Surface
from streams.core.inputs.batches import joined
from streams.core.model.policy import Consequence, Notice, Phase, Policy
from streams.operate.audit.records import Record, iso, millis
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy


class Tape(Day):
    """A day that remembers its inputs, too."""

    def __init__(self, *policies: Policy, **options: Any) -> None:
        self.inputs: list[Record] = []
        self.published: dict[str, bytes] = {}
        self._echoed = 0
        super().__init__(*(policies or (policy(),)), **options)

    def open(self, *policies: Policy) -> None:
        self.published.update({it.digest: it.canonical for it in policies})
        super().open(*policies)

    def put(self, topic: str, key: str | None, value: Mapping[str, Any] | bytes | None) -> Self:
        offset = self._offsets[topic]
        raw = json.dumps(value).encode() if isinstance(value, Mapping) else value
        key_bytes = None if key is None else key.encode()
        entry = self.now if self._entry is None else self._entry
        where = (topic, self._partition, offset, entry)
        self.inputs.append(Record(*where, key_bytes, raw, appended=True))
        super().put(topic, key, raw)
        return self._echo()

    def _echo(self) -> Self:
        """What the partition wrote to the switches comes back to it, as to every worker."""
        said = [(key, value) for topic, key, value, _ in self.tables.raw if topic == "switches"]
        news, self._echoed = said[self._echoed :], len(said)
        for key, value in news:
            self.put("switches", (key or b"").decode(), value)
        return self

    def unreadable(self, topic: str, count: int) -> Self:
        """A batch of so many records that does not unpack."""
        first = self._offsets[topic]
        self._offsets[topic] += count
        spans = [(topic, joined([], ((first, first + count - 1, self.now),)))]
        self.partition.step(self.tables, self.now, spans)  # type: ignore[arg-type]
        self.partition.before_commit(self.tables, self.now, dict(self._offsets))
        return self._echo()

    def late(self, milliseconds: int) -> Self:
        """Nobody works for a while; then what is due acts at once."""
        self.now += milliseconds
        return self.run_timers()

    def days(self, count: int) -> Self:
        """Days pass, with something to read on each: so many transactions."""
        for _ in range(count):
            self.wait(DAY).reads(1, "nobody")
        return self

    def sealed(self) -> Self:
        """Close what is open with an input that says nothing."""
        return self.reads(1, "nobody")

    def records(self) -> list[Record]:
        """All topics, each in order: policies, inputs, outputs, the log."""
        offsets: dict[str, int] = defaultdict(int)
        found = [
            Record("policies", 0, number, 0, digest.encode(), text)
            for number, (digest, text) in enumerate(self.published.items())
        ]
        found += self.inputs
        for topic, key, value, headers in self.tables.raw:
            if topic == "switches":
                continue
            plain = json.loads(value or b"{}")
            at = plain.get("decided_at") or plain.get("now") or plain.get("refused_at")
            stamp = millis(at) if at else self.now
            found.append(
                Record(topic, self._partition, offsets[topic], stamp, key, value, tuple(headers))
            )
            offsets[topic] += 1
        return found


def invited(tape: Tape, account: str, followers: int = 2000) -> Tape:
    """An account over the line for long enough."""
    tape.label("财经", account).reads(followers, account).wait(2 * HOUR)
    return tape


def clean() -> Tape:
    """The life of some twenty accounts: every event there is, every control, every brake."""
    tape = Tape()
    for number in range(1, 16):
        invited(tape, f"a{number}", 1500 + number)
        if number != 3:
            tape.receipt(account=f"a{number}")
        tape.wait(10 * MINUTE)
    tape.receipt("failed", "a3", failure="blocked").wait(HOUR).control("reissue", "a3")
    tape.wait(HOUR).receipt(account="a3")
    tape.answer("granted", "a1").answer("declined", "a2").wait(HOUR)
    tape.answer("withdrawn", "a1").control("hold", "a4").control("appeal_opened", "a5")
    tape.answer("granted", "a6", notice_version="1").label("日常生活", "a7").change(
        "exempted", "a8"
    )
    tape.put("controls", "weibo:a9", b"nonsense").wait(DAY)
    tape.control("unhold", "a4").control("appeal_rejected", "a5")
    tape.control("extend", "a9", until=iso(tape.now + 9 * DAY)).wait(DAY)
    tape.switch("answers_paused", True).wait(5 * HOUR).switch("answers_paused", False)
    tape.switch("adverse_off", True, scope="weibo").wait(3 * HOUR)
    tape.answer("declined", "a6").switch("adverse_off", False, scope="weibo").wait(4 * DAY)
    tape.answer("granted", "a2").answer("granted", "a10", at=tape.now - 3 * DAY)
    tape.control("lift", "a11").control("appeal_opened", "a12").wait(HOUR)
    tape.control("appeal_upheld", "a12").change("closed", "a13").wait(DAY)
    tape.change("owner_changed", "a14").label("体育", "a15")
    tape.reads(100, "a4").wait(8 * DAY).reads(5000, "a5").days(40)
    for number in (3, 4, 7, 9):
        tape.receipt(account=f"a{number}", cycle=2)
    return tape.days(30)


def stricter() -> Tape:
    """A policy that gets stricter, then milder, with restrictions in force."""
    tape = Tape()
    for account in ("b1", "b2", "b3"):
        invited(tape, account).receipt(account=account)
    tape.wait(5 * DAY).sealed()
    invited(tape, "b4").receipt(account="b4")
    surfaces = {**policy().consequence.surfaces}  # type: ignore[union-attr]
    tape.open(policy(version=2, notice=Notice("weibo-notice", "2", True, DAY, ())))
    tape.answer("granted", "b1").wait(4 * DAY).sealed()
    surfaces.pop(Surface.TIPS)
    milder = Consequence(surfaces, frozenset({"no_answer"}), 5 * DAY, 20 * DAY)
    tape.open(policy(version=3, consequence=milder))
    return tape.days(40)


def freed() -> Tape:
    """A policy drops a surface, the next one names it again, and the cycle expires once more."""
    tape = Tape()
    invited(tape, "h1").receipt(account="h1").wait(5 * DAY).sealed()
    feed = {Surface.RECOMMEND_FEED: (policy().consequence.surfaces or {})[Surface.RECOMMEND_FEED]}
    tape.open(policy(version=2, consequence=replace(policy().consequence, surfaces=feed)))
    tape.wait(HOUR).sealed()
    tape.open(policy(version=3))
    tape.receipt("failed", "h1").wait(HOUR).control("reissue", "h1").wait(HOUR)
    return tape.receipt(account="h1").wait(5 * DAY).sealed()


def shadow() -> Tape:
    """A life in shadow, one with a shadow surface, and a change of mode."""
    tape = Tape(policy(mode=Mode.SHADOW))
    invited(tape, "c1")
    tape.wait(6 * DAY).sealed()
    tape.open(policy(version=2))
    tape.wait(20 * DAY).sealed()
    invited(tape, "c2").receipt(account="c2")
    held = {
        surface: replace(it, mode=Mode.SHADOW) if surface is Surface.TIPS else it
        for surface, it in policy().consequence.surfaces.items()  # type: ignore[union-attr]
    }
    tape.open(policy(version=3, consequence=replace(policy().consequence, surfaces=held)))
    invited(tape, "c3").receipt(account="c3")
    tape.wait(9 * DAY).answer("granted", "c3").days(30)
    tape.open(policy(version=4, mode=Mode.OFF))
    return tape.wait(DAY).sealed()


def held() -> Tape:
    """Two holds on top of one another, the second one shorter: the first one's end stays."""
    tape = Tape()
    for account in ("d1", "d2"):
        invited(tape, account).receipt(account=account)
    tape.control("hold", "d1").control("hold", "d2", expires_at=iso(tape.now + 9 * DAY))
    for account in ("d1", "d2"):
        tape.control("hold", account, expires_at=iso(tape.now + DAY))
    tape.wait(6 * DAY).sealed()
    tape.control("unhold", "d1")
    return tape.days(20)


def withdrawn() -> Tape:
    """Withdrawals in every state, each followed by an older grant that arrives later."""
    tape = Tape()
    for account in ("e1", "e2", "e3", "e4"):
        invited(tape, account)
    tape.answer("withdrawn", "e4").answer("withdrawn", "e3").receipt(account="e1").receipt(
        account="e2"
    ).wait(HOUR)
    tape.answer("granted", "e3", at=tape.now - 2 * HOUR).answer("granted", "e2").wait(HOUR)
    tape.answer("withdrawn", "e1").answer("withdrawn", "e2").wait(MINUTE)
    tape.answer("granted", "e1", at=tape.now - HOUR).wait(HOUR)
    tape.answer("granted", "e4", notice_version="1").answer("withdrawn", "e2").wait(MINUTE)
    told_at = tape.now - MINUTE
    tape.days(40).answer("granted", "e2", at=told_at - 1).wait(MINUTE)
    tape.answer("granted", "e2", notice_version="1")
    return tape.days(9)


def approved() -> Tape:
    """A life under a policy that two people approved, where two are asked for."""
    tape = Tape(policy(approvals=(("op.1", 1), ("op.2", 2))), require_approvals=True)
    for account in ("f1", "f2"):
        invited(tape, account).receipt(account=account)
    tape.control("hold", "f2", bulk_id="b1").control("unhold", "f2", bulk_id="b2")
    tape.control("settle", "f1", bulk_id="b3", approved_by="op.9")
    return tape.wait(6 * DAY).sealed()


def moved() -> Tape:
    """Counts that fell below the line, not below the exit line, or rose, before the restriction."""
    tape = Tape(policy(phases=(Phase("million", 1_000_000, START - 30 * DAY, None, None),)))
    for account in ("g1", "g2"):
        invited(tape, account, 1_200_000).receipt(account=account)
    return tape.reads(960_000, "g1").reads(6_000_000, "g2").days(20)


RECORDINGS: dict[str, Callable[[], Tape]] = {
    "clean": clean,
    "stricter": stricter,
    "freed": freed,
    "shadow": shadow,
    "held": held,
    "withdrawn": withdrawn,
    "approved": approved,
    "moved": moved,
}
"""Histories without a breach."""
