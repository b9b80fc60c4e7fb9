"""Recordings of the second edition's rules: refusals, unclear words, appeals, ends in favour."""

from collections.abc import Callable
from dataclasses import replace

from streams.core.model.policy import Notice, Phase
from streams.operate.audit.records import iso
from tests.core.given import DAY, HOUR, MINUTE, START, policy, stability
from tests.operate.recording import Tape, invited


def refused() -> Tape:
    """A hundred bad receipts trip the guard; one word of nobody does at once; people settle it."""
    tape = Tape()
    for account in ("g1", "g2", "g3"):
        invited(tape, account).receipt(account=account)
    for number in range(100):
        tape.put("notice-receipts", f"weibo:x{number}", {"platform": "weibo"})
    tape.wait(5 * DAY).answer("granted", "g1").wait(HOUR)
    tape.switch("refusals_settled", True, scope="weibo").wait(9 * DAY).sealed()
    invited(tape, "g4").receipt(account="g4")
    tape.put("consent-answers", "nobody's key", {"answer": "granted"}).wait(DAY)
    tape.switch("refusals_settled", True, at=tape.now - 2 * DAY).wait(6 * DAY).sealed()
    tape.put("controls", None, {"command": "hold"}).wait(MINUTE)
    tape.switch("refusals_settled", True).wait(DAY).unreadable("account-changes", 3).wait(DAY)
    tape.switch("refusals_settled", True).wait(3 * DAY).unreadable("follower-counts", 150)
    tape.wait(DAY).switch("refusals_settled", True, scope="weibo")
    return tape.days(30)


def unclear() -> Tape:
    """Words that nobody can read, or that name something else, and how each is settled."""
    tape = Tape()
    names = [f"h{number}" for number in range(1, 9)]
    for account in names:
        invited(tape, account).receipt(account=account)
    tape.put("consent-answers", "weibo:h1", b"{").put("account-changes", "weibo:h2", b"{")
    tape.put("controls", "weibo:h3", {"platform": "weibo", "account_id": "h3"})
    tape.answer("granted", "h4", invitation_id="another-one")
    tape.answer("granted", "h5", notice_version="never-shown")
    tape.answer("declined", "h6", at=tape.now - 2 * DAY).put("consent-answers", "weibo:h7", b"")
    tape.put("account-changes", "weibo:new", b"{").wait(9 * DAY).sealed()
    for account in ("h1", "h3", "h4", "h8"):
        tape.control("settle", account)
    tape.change("reopened", "h2").answer("declined", "h5").answer("granted", "h6")
    tape.wait(6 * DAY).sealed()
    invited(tape, "new").receipt(account="new")
    return tape.days(20)


def appealed() -> Tape:
    """Appeals by their ids; one upheld, whose mark lasts until people or a new owner end it."""
    tape = Tape()
    for account in ("i1", "i2", "i3", "i4"):
        invited(tape, account).receipt(account=account)
    tape.control("appeal_opened", "i1", appeal_id="x").control("appeal_opened", "i1", appeal_id="y")
    tape.wait(DAY).control("appeal_rejected", "i1", appeal_id="x")
    tape.control("appeal_upheld", "i2", appeal_id="z").wait(5 * DAY)
    tape.control("appeal_rejected", "i1", appeal_id="y").control("appeal_upheld", "i3").days(20)
    for account in ("i2", "i3", "i4"):
        tape.reads(3000, account)
    tape.control("unhold", "i2", reason="appeal").days(3).change("owner_changed", "i3").days(20)
    for account in ("i2", "i3"):
        tape.reads(3000, account)
    for number in range(18):
        tape.control("appeal_opened", "i4", appeal_id=f"n{number}")
    tape.wait(HOUR).control("settle", "i4")
    for number in range(18):
        tape.control("appeal_rejected", "i4", appeal_id=f"n{number}")
    return tape.days(9)


def bounced() -> Tape:
    """Failures after the delivery, after the expiry, twice; extension and reissue that wait."""
    tape = Tape()
    for account in ("j1", "j2", "j3", "j4", "j5"):
        invited(tape, account)
    tape.control("extend", "j1", until=iso(tape.now + 9 * DAY)).receipt(account="j1")
    tape.receipt(account="j2").receipt("failed", "j2", failure="blocked").wait(HOUR)
    tape.receipt(account="j2", at=tape.now - 2 * HOUR).control("reissue", "j2").wait(HOUR)
    tape.receipt(account="j2").receipt(account="j3", at=tape.now - MINUTE).receipt(account="j4")
    failed_at = tape.now
    tape.wait(5 * DAY).receipt("failed", "j3", at=failed_at, failure="other")
    tape.control("extend", "j4", until=iso(tape.now + 6 * DAY))
    tape.receipt("failed", "j4", at=failed_at, failure="invalid").receipt(account="j4")
    tape.receipt("failed", "j5", failure="other").control("reissue", "j5").wait(HOUR)
    tape.receipt("failed", "j5", failure="other").receipt(account="j5").days(12)
    return tape


def leaving() -> Tape:
    """Counts below the exit line, labels that end, and words that came in after such an end."""
    tape = Tape()
    for account in ("k1", "k2", "k3", "k4", "k5"):
        invited(tape, account).receipt(account=account)
    tape.reads(500, "k1").wait(HOUR).reads(950, "k2")
    tape.label("财经", "k3", valid_until=iso(tape.now + 6 * DAY))
    tape.label("财经", "k4", at=tape.now - 1).label("法律", "k4", at=tape.now - 1)
    tape.wait(5 * DAY).reads(2100, "k1").wait(MINUTE).sealed()
    tape.reads(100, "k5").wait(3 * DAY).sealed()
    tape.now += 6 * DAY
    tape.label("财经", "k3").reads(2000, "k5").run_timers()
    tape.days(30)
    invited(tape, "k6").wait(HOUR).label(None, "k6")
    tape.label("财经", "k7").reads(2000, "k7").wait(30 * MINUTE)
    tape.reads(500, "k7", at=tape.now - 10 * MINUTE).label("财经", "k8").reads(2000, "k8")
    tape.wait(30 * MINUTE).reads(2500, "k8").wait(DAY)
    invited(tape, "k9").label("财经", "k9", valid_until=iso(tape.now + DAY))
    return tape.days(20)


def milder() -> Tape:
    """Policies that change while cycles are open: lines, ends, phases, notices."""
    first = policy(stability=stability(max_age=20 * DAY))
    tape = Tape(first)
    for account in ("l1", "l2", "l3"):
        invited(tape, account, 1500).receipt(account=account)
    tape.answer("granted", "l3").wait(5 * DAY).sealed()
    tape.open(replace(first, version=2, phases=(Phase("first", 1600, START, None, None),)))
    tape.wait(DAY).reads(2000, "l1").wait(9 * DAY).sealed()
    invited(tape, "l4").receipt(account="l4").wait(5 * DAY).sealed()
    short = replace(first.consequence, expires_after=7 * DAY)  # type: ignore[type-var]
    tape.open(replace(first, version=3, consequence=short))
    tape.wait(4 * DAY).sealed()
    invited(tape, "l5").wait(HOUR)
    tape.open(replace(first, version=4, notice=Notice("weibo-notice", "2", True, 3 * DAY, ())))
    tape.answer("granted", "l5", notice_version="1").wait(DAY)
    invited(tape, "l6").answer("granted", "l6", notice_version="2").days(25)
    invited(tape, "l7").receipt(account="l7").wait(5 * DAY).sealed()
    tape.open(replace(first, version=5, phases=(Phase("second", 1000, START, None, None),)))
    return tape.days(30)


def changed() -> Tape:
    """The cluster changes under the worker; the next start ends it."""
    tape = Tape()
    for account in ("m1", "m2"):
        invited(tape, account).receipt(account=account)
    tape.partition.cluster_changed(tape.now)
    tape.reads(2100, "m1").wait(5 * DAY).answer("granted", "m1").days(2)
    tape.open(policy())
    return tape.days(9)


def asleep() -> Tape:
    """Three reminders and a worker that slept; rounds in which only what is in favour acts."""
    tape = Tape(policy(notice=Notice("weibo-notice", "1", False, 9 * DAY, (5 * DAY, 3 * DAY, DAY))))
    for account in ("n1", "n2", "n3"):
        invited(tape, account).receipt(account=account)
    tape.wait(4 * DAY + HOUR).late(4 * DAY + 10 * HOUR).receipt("failed", "n2", failure="other")
    tape.wait(HOUR).receipt(account="n2").wait(DAY)
    tape.control("extend", "n3", until=iso(tape.now + 20 * DAY))
    tape.now += DAY
    while tape.partition.run_timers(tape.tables, tape.now, tape.now, 1000, True):
        pass
    tape.reads(1, "nobody").wait(30 * DAY).sealed()
    return tape.days(30)


def taken_back() -> Tape:
    """Stale words: what was closed or exempted before, grants that came after their withdrawal."""
    tape = Tape()
    for account in ("o1", "o2", "o3", "o4", "o5"):
        invited(tape, account).receipt(account=account)
    then = tape.now
    tape.answer("withdrawn", "o1").wait(HOUR).answer("granted", "o1", at=then - MINUTE)
    tape.wait(4 * DAY).answer("declined", "o2").wait(HOUR).answer("granted", "o2", at=then)
    tape.change("exemption_ended", "o3").wait(MINUTE).change("exempted", "o3", at=then)
    tape.answer("granted", "o4").wait(HOUR).change("reopened", "o4")
    tape.wait(HOUR).change("closed", "o4", at=tape.now - HOUR).wait(HOUR)
    tape.answer("granted", "o5").wait(HOUR).change("owner_changed", "o5")
    return tape.wait(HOUR).change("owner_changed", "o5", at=then).days(15)  # type: ignore[return-value]


DOUBTS: dict[str, Callable[[], Tape]] = {
    "refused": refused,
    "unclear": unclear,
    "appealed": appealed,
    "bounced": bounced,
    "leaving": leaving,
    "milder": milder,
    "changed": changed,
    "asleep": asleep,
    "taken back": taken_back,
}
"""Histories without a breach, one for each room of the second edition."""
