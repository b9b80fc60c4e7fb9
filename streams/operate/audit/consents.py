"""Checks consent events: an owner's answer is behind each, and a withdrawal outweighs a grant."""

from collections.abc import Iterator

from schemas.enums import Ground
from schemas.events import ConsentDeclined, ConsentGranted, ConsentVoided, ConsentWithdrawn
from streams.operate.audit import unclear
from streams.operate.audit.account_state import AuditedCycle, Due, Word
from streams.operate.audit.dues import cycle_ended, must_lift
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.records import SECOND, iso, stamp


def granted(moment: Moment, cycle: AuditedCycle, event: ConsentGranted) -> Iterator[Finding]:
    """Checks a grant: an answer of this cycle says so, to a notice that was in force during it."""
    account, at = moment.account, stamp(event.answered_at)
    word = next((it for it in reversed(cycle.grants) if it.at == at), None)
    account.said("grant_unheeded")
    yield from _delivered(cycle)
    if cycle.terms is not None:
        if word is None:
            shown = (cycle.granted.place,) if cycle.granted else (cycle.place,)
            yield "consent_without_answer", f"answered at {iso(at)}", shown
        known = cycle.notice_version
        if moment.edition > 1 and word is not None and word.version is not None:
            known = word.version
        if event.notice_version != known:
            yield "notice_version_mixed", f"it was given to {known}", (cycle.place,)
        elif moment.edition > 1 and known not in _shown(moment, cycle):
            yield "notice_version_mixed", f"{known} was not in force", (cycle.place,)
        renews = cycle.state == "GRANTED" and moment.edition > 1
        if not cycle.open and not (renews and event.notice_version != cycle.consented):
            yield "consent_without_answer", f"the cycle is {cycle.state}", (cycle.place,)
    if at <= account.withdrawn_answer_at:
        detail = f"withdrawn at {iso(account.withdrawn_answer_at)}"
        yield "consent_after_withdrawal", detail, (account.withdrawn_place,)
    elif moment.edition > 1 and at < account.heard_of("answers").protecting:
        yield "consent_after_withdrawal", "refused since", (cycle.place,)
    if cycle.state == "EXPIRED" and cycle.deadline_at is not None:
        if (event.reason == Ground.IN_TIME) != (at <= cycle.deadline_at):
            detail = f"{event.reason}, the deadline is {iso(cycle.deadline_at)}"
            yield "decision_differs", detail, ()
        if word and word.arrived_at + SECOND < cycle.deadline_at and cycle.expired_place:
            yield "answer_overtaken", "", (word.place, cycle.expired_place)
    cycle.state, cycle.consented = "GRANTED", event.notice_version
    taken_up = [at for at, it in enumerate(cycle.versions) if it == event.notice_version]
    cycle.consents_from = taken_up[-1] if taken_up else 0
    must_lift(account, cycle, moment.record.place, "granted")
    _must_renew(moment, cycle, event)


def _delivered(cycle: AuditedCycle) -> Iterator[Finding]:
    """Checks that the delivery of the notice was published before an answer to it."""
    if cycle.terms is not None and cycle.state in ("INVITED", "UNDELIVERED"):
        yield "delivery_unheeded", f"answered, and {cycle.state}", (cycle.place,)


def _shown(moment: Moment, cycle: AuditedCycle) -> list[str]:
    """Returns the versions of the notices that were in force since the cycle's first issue."""
    return [*cycle.versions, *((moment.present.notice_version,) if moment.present else ())]


def _must_renew(moment: Moment, cycle: AuditedCycle, event: ConsentGranted) -> None:
    """Demands the end of a consent whose notice is older than one in force with `renew: true`."""
    present = moment.present
    if moment.edition == 1 or present is None or not present.renew:
        return
    older = event.notice_version in cycle.versions and len(cycle.versions) > 1
    if older and event.notice_version != present.notice_version:
        due = Due("consent_not_voided", moment.record.place, "a newer notice asks anew")
        moment.account.due.append(due)


def declined(moment: Moment, cycle: AuditedCycle, event: ConsentDeclined) -> Iterator[Finding]:
    """Checks a refusal: an answer says so. The answer window runs on."""
    moment.account.said("refusal_unheeded")
    word, at = cycle.declined, stamp(event.answered_at)
    known = (word is not None and word.at == at) or at in moment.account.takebacks
    if cycle.terms is not None and not known:
        yield "consent_without_answer", "declined", (word.place if word else cycle.place,)
    yield from _delivered(cycle)
    if word is None and not moment.whole:
        cycle.declined = Word(at, stamp(event.decided_at), moment.record.place)
    if cycle.state in ("INVITED", "UNDELIVERED", "DELIVERED"):
        cycle.state = "DECLINED"


def withdrawn(moment: Moment, cycle: AuditedCycle, event: ConsentWithdrawn) -> Iterator[Finding]:
    """Checks a withdrawal; it ends the consent and the cycle.

    In an open cycle the event means that a grant was read after a later withdrawal or refusal.
    """
    account, at = moment.account, stamp(event.answered_at)
    account.said("withdrawal_unheeded")
    if cycle.terms is not None and at not in account.takebacks:
        yield "consent_without_answer", "withdrawn", (cycle.place,)
    if cycle.open and cycle.terms is not None and not cycle.grants:
        yield "consent_without_answer", "taken back, and nothing was given", (cycle.place,)
    account.withdraw(at, moment.record.place)
    cycle.state, cycle.withdrawn_at = "NONE", at
    cycle_ended(account)
    unclear.cycle_over(account, stamp(event.decided_at))
    must_lift(account, cycle, moment.record.place, "granted, then taken back")


def voided(moment: Moment, cycle: AuditedCycle, event: ConsentVoided) -> Iterator[Finding]:
    """Takes a voided consent: the cycle is over. Nothing about it can be a breach."""
    moment.account.said("withdrawal_unheeded")
    moment.account.said("consent_not_voided")
    cycle.state = "NONE"
    unclear.cycle_over(moment.account, stamp(event.decided_at))
    yield from ()
