"""Checks invitation events: notice, deadlines, order, terms."""

from collections.abc import Iterator

from schemas.enums import Ground
from schemas.events import (
    InvitationCancelled,
    InvitationDelivered,
    InvitationExpired,
    InvitationExtended,
    InvitationIssued,
    InvitationReminded,
    InvitationUndeliverable,
)
from streams.operate.audit import unclear
from streams.operate.audit.account_state import AuditedCycle, Word
from streams.operate.audit.dues import cycle_ended, must_lift
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.records import SECOND, iso, stamp
from streams.operate.audit.switch_log import NEVER, with_pauses
from streams.operate.audit.terms import MODES, AuditedTerms


def issued(moment: Moment, event: InvitationIssued) -> Iterator[Finding]:
    """Checks an issued event: a new cycle, or the same one again after `reissue`."""
    account, mode = moment.account, event.mode.value
    before = account.cycles.get(mode)
    if event.reason == Ground.REISSUED:
        yield from _reissued(moment, event, before)
        return
    for other in account.cycles.values():
        if other.open:
            yield "cycle_opened_twice", f"cycle {other.number} is open", (other.place,)
    number = account.last_cycles.get(mode, 0)
    if (number and event.cycle != number + 1) or (not number and event.cycle != 1 and moment.whole):
        yield "cycle_opened_twice", f"cycle {event.cycle} after {number}", ()
    yield from _phase(moment, event, moment.terms)
    if moment.edition > 1:
        yield from _dwelt(moment, event)
        if account.upheld is not None and mode == "enforce":
            yield "invited_after_verdict", "", (account.upheld[1],)
    account.last_cycles[mode] = event.cycle
    account.cycles[mode] = _cycle(moment, event)
    account.below_since, account.left_at = None, None
    unclear.cycle_over(account, stamp(event.decided_at))


def _reissued(
    moment: Moment, event: InvitationIssued, before: AuditedCycle | None
) -> Iterator[Finding]:
    """Checks a reissue of the cycle `before`; None: its first issue was not read."""
    waiting = ("UNDELIVERED",) if moment.edition == 1 else ("INVITED", "UNDELIVERED")
    waits = before is not None and event.cycle == before.number and before.state in waiting
    if not waits and (before is not None or moment.whole):
        yield "cycle_opened_twice", "reissued, but that cycle does not wait undelivered", ()
    if before is None:
        mode, place, at = event.mode.value, moment.record.place, stamp(event.decided_at)
        before = AuditedCycle(event.cycle, event.invitation_id, mode, place, None, at)
        moment.account.cycles[mode] = before
        moment.account.last_cycles[mode] = event.cycle
    elif moment.edition > 1 and before.terms is not None and not before.reissues:
        yield "reissued_unasked", "", (before.place,)
    before.reissues = before.reissues[1:]
    before.state, before.delivered_at, before.place = "INVITED", None, moment.record.place
    before.issued_at = stamp(event.decided_at)
    before.receipt = None


def _dwelt(moment: Moment, event: InvitationIssued) -> Iterator[Finding]:
    """Checks that no count below the line and no uncovered label was read during the dwell."""
    if moment.terms is None:
        return
    begun, account = stamp(event.decided_at) - moment.terms.dwell, moment.account
    if account.forgotten_place:
        yield "dwell_cut_short", "no count is known", (account.forgotten_place,)
    newest = account.counted_at == account.reading_at
    if newest and account.followers is not None and account.followers < event.line:
        detail = f"{account.followers} followers"
        yield "dwell_cut_short", detail, (account.counted_place,)
    for at, followers, place in moment.account.below:
        if at > begun and followers < event.line:
            what = "the label was not covered" if followers < 0 else f"{followers} followers"
            yield "dwell_cut_short", f"{what} at {iso(at)}", (place,)


def _cycle(moment: Moment, event: InvitationIssued) -> AuditedCycle:
    cycle = AuditedCycle(
        number=event.cycle,
        invitation_id=event.invitation_id,
        mode=event.mode.value,
        place=moment.record.place,
        terms=moment.terms,
        issued_at=stamp(event.decided_at),
        edition=moment.edition,
        versions=[event.notice_version],
        asked_at=stamp(event.decided_at),
        phase=event.phase,
        line=event.line,
        notice_version=event.notice_version,
        window=None
        if event.answer_window_seconds is None
        else event.answer_window_seconds * SECOND,
        answer_by=None if event.answer_by is None else stamp(event.answer_by),
        surfaces=frozenset(surface.value for surface in event.surfaces_at_stake),
        followers=moment.facts.get("followers"),
    )
    before = moment.account.cycles.get(event.mode.value)
    if before is not None:
        cycle.active = before.active
    return cycle


def _phase(
    moment: Moment, event: InvitationIssued, terms: AuditedTerms | None
) -> Iterator[Finding]:
    if terms is None:
        return
    phase = terms.phases.get(event.phase)
    if phase is None or phase.starts_at is None or phase.starts_at > stamp(event.decided_at):
        yield "phase_not_in_force", event.phase, ()
    elif phase.line != event.line:
        yield "terms_changed", f"line {event.line}, the policy says {phase.line}", ()
    enforce = event.mode.value == "enforce"
    strongest = min(MODES[terms.mode], MODES[phase.mode] if phase else 2)
    if enforce and (not terms.fit_to_enforce or strongest < MODES["enforce"]):
        yield "unfit_policy", "an invitation in enforce", ()
    window = None if event.answer_window_seconds is None else event.answer_window_seconds * SECOND
    if terms.window != window:
        yield "terms_changed", "another window than the policy's", ()
    if (event.notice_id, event.notice_version) != (terms.notice_id, terms.notice_version):
        yield "terms_changed", "another notice than the policy's", ()
    if not {surface.value for surface in event.surfaces_at_stake} <= terms.levels.keys():
        yield "surface_not_at_stake", "an invitation for a surface the policy does not name", ()


def delivered(moment: Moment, cycle: AuditedCycle, event: InvitationDelivered) -> Iterator[Finding]:
    """Checks a delivery: a receipt or an answer is behind it, and the window runs from its time.

    In a shadow life the delivery is projected, with neither.
    """
    at = stamp(event.delivered_at)
    word = cycle.receipt if event.reason == Ground.RECEIPT else _first_answer(cycle)
    if word is None and event.reason == Ground.ANSWER:
        word = next((it for it in cycle.grants if it.at == at), None)
        if word is None and at in moment.account.takebacks:
            word = Word(at, at, cycle.place)
    if event.reason == Ground.PROJECTED:
        if event.mode.value != "shadow":
            yield "delivery_without_word", "projected in enforce", (cycle.place,)
    elif cycle.terms is not None:
        if word is None:
            yield "delivery_without_word", event.reason, (cycle.place,)
        elif at < word.at or (at < cycle.issued_at and event.reason == Ground.RECEIPT):
            yield "delivery_backdated", f"the word says {iso(word.at)}", (word.place,)
    cycle.delivered_at, cycle.delivered_place = at, moment.record.place
    cycle.state, cycle.delivery = "DELIVERED", word
    cycle.deliveries += 1
    cycle.reminders = []
    moment.account.said("bounce_unheeded")
    moment.account.said("delivery_unheeded")
    if event.deadline_at is None:
        if cycle.window is not None or event.mode.value == "enforce":
            yield "window_cut_short", "no deadline", (cycle.place,)
        return
    yield from _later(moment, cycle, stamp(event.deadline_at))
    least = earliest_deadline(cycle)
    if least is not None and stamp(event.deadline_at) < least:
        yield "window_cut_short", f"not before {iso(least)}", (cycle.place,)


def _first_answer(cycle: AuditedCycle) -> Word | None:
    given = [word for word in (cycle.granted, cycle.declined) if word is not None]
    return min(given, key=lambda word: word.at, default=None)


def earliest_deadline(cycle: AuditedCycle) -> int | None:
    """Returns the deadline (ms) by the notice: window after delivery, or `answer_by` if later."""
    if cycle.delivered_at is None or cycle.window is None:
        return cycle.answer_by
    return max(cycle.delivered_at + cycle.window, cycle.answer_by or 0)


def _later(
    moment: Moment, cycle: AuditedCycle, deadline: int, strictly: bool = False
) -> Iterator[Finding]:
    said = cycle.deadline_at
    if said is not None and (deadline < said or (strictly and deadline == said)):
        detail = f"{iso(deadline)} after {iso(said)}"
        yield "deadline_moved_earlier", detail, (cycle.delivered_place, cycle.place)
    if deadline < cycle.floor_at:
        yield "extension_unheeded", f"not before {iso(cycle.floor_at)}", (cycle.place,)
    cycle.deadline_at = max(deadline, said or deadline)


def undeliverable(
    moment: Moment, cycle: AuditedCycle, event: InvitationUndeliverable
) -> Iterator[Finding]:
    """Takes a failed notice. If the cycle had expired, its restrictions must be lifted."""
    moment.account.said("bounce_unheeded")
    if cycle.state == "EXPIRED":
        must_lift(moment.account, cycle, moment.record.place, "the notice failed")
    if cycle.failure is not None:
        cycle.failed_at = max(cycle.failed_at, cycle.failure.at)
    cycle.floor_at = max(cycle.floor_at, cycle.waiting_floor_at)
    cycle.state, cycle.delivered_at, cycle.receipt = "UNDELIVERED", None, None
    cycle.may_end_at = NEVER
    yield from ()


def reminded(moment: Moment, cycle: AuditedCycle, event: InvitationReminded) -> Iterator[Finding]:
    """Checks a reminder: it is due, not one too many, and does not name an earlier deadline."""
    yield from _later(moment, cycle, stamp(event.deadline_at))
    if moment.edition == 1 or cycle.terms is None:
        return
    at, deadline = stamp(event.decided_at), stamp(event.deadline_at)
    due = [it for it in cycle.terms.reminders if deadline - it <= at + SECOND]
    if at in cycle.reminders:
        yield "reminded_too_often", "two at once", (cycle.delivered_place,)
    elif len(cycle.reminders) >= len(cycle.terms.reminders):
        yield "reminded_too_often", f"{len(cycle.reminders)} before", (cycle.delivered_place,)
    elif not due:
        yield "reminded_too_often", f"the deadline is {iso(deadline)}", (cycle.delivered_place,)
    cycle.reminders.append(at)


def extended(moment: Moment, cycle: AuditedCycle, event: InvitationExtended) -> Iterator[Finding]:
    """Checks an extension: its deadline is later than the one published before."""
    yield from _later(moment, cycle, stamp(event.deadline_at), strictly=True)


def expired(moment: Moment, cycle: AuditedCycle, event: InvitationExpired) -> Iterator[Finding]:
    """Checks an expiry: the notice was delivered, the deadline has passed, the reason is true."""
    deadline, at = stamp(event.deadline_at), stamp(event.decided_at)
    yield from _later(moment, cycle, deadline)
    if cycle.terms is not None and cycle.delivered_at is None:
        yield "restricted_without_notice", "expired undelivered", (cycle.place,)
    if at < (cycle.deadline_at or deadline):
        yield "restricted_before_deadline", f"the deadline is {iso(deadline)}", (cycle.place,)
    if cycle.terms is not None:
        if (event.reason == Ground.DECLINED) != (cycle.declined is not None):
            where = (cycle.declined.place,) if cycle.declined else (cycle.place,)
            yield "silence_mistaken", event.reason, where
        yield from _stopped(moment, cycle, deadline)
    cycle.may_end_at = NEVER
    for terms in (cycle.terms, moment.present):
        if terms is not None and terms.expires_after is not None:
            cycle.may_end_at = min(cycle.may_end_at, at + terms.expires_after)
    cycle.state, cycle.expired_at, cycle.expired_place = "EXPIRED", at, moment.record.place


def _stopped(moment: Moment, cycle: AuditedCycle, deadline: int) -> Iterator[Finding]:
    base = earliest_deadline(cycle)
    if base is None or cycle.delivered_at is None or cycle.mode == "shadow":
        return
    pauses = [*moment.account.stops, *moment.switch_log.of(moment.platform), *moment.pauses]
    least = with_pauses(base, cycle.delivered_at, pauses)
    if deadline + SECOND < least:
        yield "stopped_clock_ran", f"not before {iso(least)}", (cycle.place,)


def cancelled(moment: Moment, cycle: AuditedCycle, event: InvitationCancelled) -> Iterator[Finding]:
    """Takes a cancelled invitation: its restrictions must be lifted in the same transaction."""
    cycle.state = "NONE"
    cycle_ended(moment.account)
    unclear.cycle_over(moment.account, stamp(event.decided_at))
    must_lift(moment.account, cycle, moment.record.place, f"cancelled, {event.reason}")
    yield from ()
