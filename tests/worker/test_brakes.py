"""The brakes on real workers: the kill switch in mid-stream, and what an outage leaves behind."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.worker.commands import audited, started
from tests.worker.crowd import Crowd, instant
from tests.worker.harness import Estate, Out, utc_now
from tests.worker.log import LoggedTransaction, reading, transactions
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(400)]

WINDOW_SECONDS = 8
PARTITIONS = 4
CAP = 60
"""Accounts restricted an hour; each partition's share is a quarter, without remainder."""

Events = dict[str, list[dict[str, Any]]]
NextRecord = Callable[[float], Out | None]


class Stream(Crowd):
    """A stream of crossings; of six accounts one grants, one declines, four say nothing yet."""

    def beat(self, next_record: NextRecord) -> None:
        """An account crosses, and whoever is invited by now is told and may answer."""
        self.crosses()
        self.listen(next_record, 0.04)

    def listen(self, next_record: NextRecord, seconds: float) -> None:
        """Hear what comes within a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            event = self.hears(next_record(left))
            if event is not None and event["event"] == "invitation.delivered":
                role = int(event["account_id"][1:]) % 6
                if role < 2:
                    self.answers(event["account_id"], ("granted", "declined")[role])

    def through(self, next_record: NextRecord, command: subprocess.Popen[str]) -> None:
        """The stream goes on while a command runs."""
        while command.poll() is None:
            self.beat(next_record)
        assert command.returncode == 0, command.communicate()

    def change_of_mind(self) -> list[str]:
        """Of those invited: who granted withdraws, others grant, others turn out to be exempt."""
        for account in self.issued:
            role = int(account[1:]) % 6
            if role in (0, 2):
                self.answers(account, "withdrawn" if role == 0 else "granted")
            elif role == 3:
                self.say("account-changes", account, change="exempted", observed_at=utc_now())
        self.estate.flush()
        return list(self.issued)


def turn(estate: Estate, which: str) -> subprocess.Popen[str]:
    """Turn the kill switch by the shipped command."""
    who = ("--scope", "*", "--actor", "desk-1", "--reason", "incident")
    return started(estate, "switch", "adverse-off", which, *who)


def test_the_kill_switch_in_mid_stream(
    make_estate: Callable[..., Estate], record_property: Callable[[str, object], None]
) -> None:
    rule = policy(
        "weibo",
        window=f"PT{WINDOW_SECONDS}S",
        reminders="PT2S",
        review_after="PT4S",
        throttles_per_hour=CAP,
    )
    estate = make_estate({"weibo": rule}, partitions=PARTITIONS).start(2)
    stream = Stream(estate)
    with estate.follow("invitations") as next_record:
        began = time.monotonic()
        while time.monotonic() < began + WINDOW_SECONDS + 3:
            stream.beat(next_record)
        stream.through(next_record, turn(estate, "on"))
        for _ in range(40):
            stream.beat(next_record)
        estate.drain()
        stream.listen(next_record, 1.0)
        invited = stream.change_of_mind()
        stream.listen(next_record, WINDOW_SECONDS)
        stream.through(next_record, turn(estate, "off"))
        stream.listen(next_record, WINDOW_SECONDS + 4)
    estate.drain()
    time.sleep(3)
    pulled, released = (record for record in estate.read(["switches"]))
    log = transactions(estate)
    assert sorted(log) == list(range(PARTITIONS))
    meanwhile = nothing_adverse_between(log, pulled, released)
    said = Counter(event["event"] for event in meanwhile)
    favourable = ("consent.granted", "consent.withdrawn", "invitation.cancelled", "throttle.lifted")
    assert all(said[event] > 0 for event in favourable), said
    events = estate.events()
    extended = extended_exactly(events, *pause_of(estate))
    paced = paced_by_the_cap(log, CAP)
    figures = {
        "accounts": stream.count,
        "invited_before": len(invited),
        "meanwhile": dict(said),
        "extended": extended,
        "restricted_an_hour": paced,
    }
    record_property("kill switch", json.dumps(figures))
    print(figures)
    assert len(invited) > 200
    assert extended > 50
    assert audited(estate) == []


def nothing_adverse_between(
    log: dict[int, list[LoggedTransaction]], pulled: Out, released: Out
) -> list[dict[str, Any]]:
    """What was said between the transaction that read the switch on and the one that read it off.

    The bound of one transaction: what is adverse in the very transaction that read the switch was
    logged before the line of the switch; in all those after it nothing is, until the release.
    """
    meanwhile: list[dict[str, Any]] = []
    for number, known in log.items():
        first = reading(known, "switches", pulled.offset)
        last = reading(known, "switches", released.offset)
        assert any(one.adverse() for one in known[:first]), (
            f"partition {number} had nothing to stop"
        )
        assert any(one.adverse() for one in known[last:]), f"partition {number} let nothing go"
        at = next(i for i, line in enumerate(known[first].lines) if line["kind"] == "switch")
        rest = known[first]._replace(lines=known[first].lines[at:])
        before = known[last]._replace(lines=_until_switch(known[last].lines))
        for one in (rest, *known[first + 1 : last], before):
            assert one.adverse() == [], f"partition {number}"
            meanwhile += one.events()
    return meanwhile


def _until_switch(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    at = next(number for number, line in enumerate(lines) if line["kind"] == "switch")
    return lines[:at]


def pause_of(estate: Estate) -> tuple[str, str]:
    """From when to when the switch stood: to the entry of its last record."""
    log = [record.json for record in estate.read(["decisions"])]
    turns = {it["on"]: it["issued_at"] for it in log if it["kind"] == "switch"}
    return turns[True], turns[False]


def extended_exactly(events: Events, pulled_at: str, released_at: str) -> int:
    """Every deadline that ran when the switch was pulled was moved by just the pause.

    One that was delivered in the pause stood still from its delivery on. How many were moved.
    """
    stood, moved = (instant(pulled_at), instant(released_at)), 0
    for own in events.values():
        delivered = [it for it in own if it["event"] == "invitation.delivered"]
        extended = [it for it in own if it["event"] == "invitation.extended"]
        if not delivered:
            continue
        deadline, told = (instant(delivered[0][name]) for name in ("deadline_at", "delivered_at"))
        ended = [it for it in own if _ends(it) and instant(it["decided_at"]) < stood[1]]
        if ended or deadline <= stood[0] or told >= stood[1]:
            assert extended == [], "a deadline that did not run was moved"
            continue
        pause = stood[1] - max(stood[0], told)
        assert [it["reason"] for it in extended] == ["pause"]
        assert instant(extended[0]["deadline_at"]) - deadline == pytest.approx(pause, abs=1e-4)
        moved += 1
    return moved


def _ends(event: dict[str, Any]) -> bool:
    name = event["event"]
    return name in ("consent.granted", "invitation.cancelled", "invitation.expired")


def paced_by_the_cap(log: dict[int, list[LoggedTransaction]], cap: int) -> dict[str, int]:
    """Accounts restricted by the hour, over all partitions: never more than the cap, nor a
    partition more than its share, and each partition has used its share up.
    """
    hours: Counter[str] = Counter()
    for number, known in log.items():
        own = _by_hour(event for one in known for event in one.events())
        assert max(own.values()) == cap // len(log), f"partition {number}: {own}"
        hours += own
    assert max(hours.values()) <= cap
    return dict(hours)


def _by_hour(events: Iterable[dict[str, Any]]) -> Counter[str]:
    applied = {
        (event["key"], event["decided_at"][:13])
        for event in events
        if event["event"] == "throttle.applied"
    }
    return Counter(hour for _, hour in applied)


def test_after_an_outage_conditions_are_looked_at_anew_and_the_cap_paces_it(
    make_estate: Callable[..., Estate], record_property: Callable[[str, object], None]
) -> None:
    rule = policy("weibo", window="PT20S", throttles_per_hour=OUTAGE_CAP)
    estate = make_estate({"weibo": rule}, partitions=PARTITIONS).start(2)
    crowd = Crowd(estate)
    with estate.follow("invitations") as next_record:
        accounts = [crowd.crosses() for _ in range(160)]
        delivered: dict[str, str] = {}
        while len(delivered) < len(accounts):
            event = crowd.hears(next_record(10.0))
            assert event is not None, f"{len(delivered)} are delivered"
            if event["event"] == "invitation.delivered":
                delivered[event["account_id"]] = event["deadline_at"]
    estate.drain()
    for worker in estate.workers:
        worker.kill()
    down_at = time.time()
    assert down_at < min(map(instant, delivered.values())), "nobody's deadline has passed"
    answered, left, exempt, late = (accounts[first::8] for first in range(4))
    answered_at = utc_now()
    for number in range(AHEAD):
        crowd.answers(f"stranger{number}", "declined")
    for account in answered:
        crowd.say("consent-answers", account, answer="granted", occurred_at=answered_at)
    for account in left:
        crowd.say("follower-counts", account, followers=1000, observed_at=utc_now())
    for account in exempt:
        crowd.say("account-changes", account, change="exempted", observed_at=utc_now())
    time.sleep(max(map(instant, delivered.values())) - time.time() + OUTAGE_SECONDS)
    for account in late:
        crowd.answers(account, "granted")
    estate.flush()
    for worker in estate.workers:
        worker.start()
    up_at = time.time()
    estate.wait_ready()
    estate.drain()
    away = (*answered, *late, *left, *exempt)
    estate.wait_for(2 * len(accounts) + len(away) + 3 * OUTAGE_CAP)
    time.sleep(3)
    ends = {key.split(":")[1]: _words(own) for key, own in estate.events().items()}
    for account in (*answered, *late):
        assert ends[account] == ["granted answer"], "an answer that was there comes first"
    assert {tuple(ends[account]) for account in left} == {("cancelled left",)}
    assert {tuple(ends[account]) for account in exempt} == {("cancelled exempted",)}
    silent = [account for account in accounts if int(account[1:]) % 8 > 3]
    restricted = [account for account in silent if ends[account]]
    paced = paced_by_the_cap(transactions(estate), OUTAGE_CAP)
    assert len(restricted) == sum(paced.values()) < len(silent), "the others wait"
    figures = {
        "down_seconds": round(up_at - down_at),
        "overdue": len(silent),
        "restricted_an_hour": paced,
    }
    record_property("outage", json.dumps(figures))
    print(figures)
    assert audited(estate) == []


AHEAD = 40_000
"""Answers of strangers that lie before those that count: a timer must not be quicker."""

OUTAGE_CAP = 20
OUTAGE_SECONDS = 32
"""How long after the last deadline the workers stay away."""


def _words(own: list[dict[str, Any]]) -> list[str]:
    """What was said of an account after its notice was delivered."""
    later = own[2:]
    assert [event["event"] for event in own[:2]] == ["invitation.issued", "invitation.delivered"]
    return [f"{event['event'].split('.')[1]} {event['reason']}" for event in later]
