"""Checks on the events of consent: an answer of the owner behind each, and a withdrawal wins."""

from collections.abc import Iterator

from schemas.events import ConsentDeclined, ConsentGranted, ConsentVoided, ConsentWithdrawn
from streams.operate.audit.invitations import must_lift
from streams.operate.audit.life import Account, Cycle
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.records import SECOND, iso, stamp


def granted(moment: Moment, cycle: Cycle, event: ConsentGranted) -> Iterator[Finding]:
    """Only after an explicit grant bound to this cycle and its notice version."""
    account, word = moment.account, cycle.granted
    done(account, "grant_unheeded")
    at = stamp(event.answered_at)
    if cycle.terms is not None:
        if word is None or word.at != at:
            shown = (word.place,) if word else (cycle.place,)
            yield "consent_without_answer", f"answered at {iso(at)}", shown
        if event.notice_version != cycle.notice_version:
            yield "notice_version_mixed", f"shown was {cycle.notice_version}", (cycle.place,)
        if not cycle.open:
            yield "consent_without_answer", f"the cycle is {cycle.state}", (cycle.place,)
    if at <= account.withdrawn_answer_at:
        detail = f"withdrawn at {iso(account.withdrawn_answer_at)}"
        yield "consent_after_withdrawal", detail, (account.withdrawn_place,)
    if cycle.state == "EXPIRED" and cycle.deadline_at is not None:
        if (event.reason == "in_time") != (at <= cycle.deadline_at):
            yield (
                "decision_differs",
                f"{event.reason}, the deadline is {iso(cycle.deadline_at)}",
                (),
            )
        if word and word.arrived_at + SECOND < cycle.deadline_at and cycle.expired_place:
            yield "answer_overtaken", "", (word.place, cycle.expired_place)
    cycle.state = "GRANTED"
    must_lift(account, cycle, moment.record.place, "granted")


def declined(moment: Moment, cycle: Cycle, event: ConsentDeclined) -> Iterator[Finding]:
    """Only after an explicit refusal; the window goes on."""
    word = cycle.declined
    if cycle.terms is not None and (word is None or word.at != stamp(event.answered_at)):
        yield "consent_without_answer", "declined", (word.place if word else cycle.place,)
    if cycle.state in ("INVITED", "UNDELIVERED", "DELIVERED"):
        cycle.state = "DECLINED"


def withdrawn(moment: Moment, cycle: Cycle, event: ConsentWithdrawn) -> Iterator[Finding]:
    """The consent is over, and so is the cycle."""
    account, at = moment.account, stamp(event.answered_at)
    done(account, "withdrawal_unheeded")
    if cycle.terms is not None and account.withdrawn_answer_at != at:
        yield "consent_without_answer", "withdrawn", (cycle.place,)
    account.withdraw(at, moment.record.place)
    cycle.state, cycle.withdrawn_at = "NONE", at


def voided(moment: Moment, cycle: Cycle, event: ConsentVoided) -> Iterator[Finding]:
    """The consent no longer holds, by no act of the owner."""
    done(moment.account, "withdrawal_unheeded")
    cycle.state = "NONE"
    yield from ()


def done(account: Account, name: str) -> None:
    """What was due under this name has been said."""
    account.due = [due for due in account.due if due.name != name]
