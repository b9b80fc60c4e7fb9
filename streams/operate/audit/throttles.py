"""Checks throttle events: ground, extent, end and statement of reasons of each restriction."""

from collections.abc import Iterator
from typing import get_args

from schemas.enums import Ground
from schemas.events import ThrottleApplied, ThrottleLifted, ThrottleRenewed
from schemas.statement import Band
from streams.operate.audit import unclear
from streams.operate.audit.account_state import AuditedCycle, AuditedRestriction
from streams.operate.audit.dues import cycle_ended
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.records import iso, stamp
from streams.operate.audit.terms import LEVELS

BAND_STARTS = (100_000, 500_000, 1_000_000, 5_000_000, 10_000_000)
BANDS: tuple[str, ...] = get_args(Band)


def applied(moment: Moment, cycle: AuditedCycle, event: ThrottleApplied) -> Iterator[Finding]:
    """Checks a new restriction: its ground, surface and level, end, and statement of reasons."""
    at, surface = stamp(event.effective_at), event.surface.value
    if at < stamp(event.decided_at):
        yield "acts_backwards", f"decided at {iso(stamp(event.decided_at))}", ()
    yield from _ground(moment, cycle, event, at)
    yield from _extent(moment, cycle, event)
    yield from _end(cycle, event, at)
    yield from _statement(moment, cycle, event)
    running = cycle.active.get(surface)
    if running is not None and running.expires_at > at and running.mode == event.mode.value:
        yield "restricted_twice", surface, (running.place,)
    if moment.present is not None and moment.present.expires_after is not None:
        cycle.may_end_at = min(cycle.may_end_at, at + moment.present.expires_after)
    cycle.may_end_at = min(cycle.may_end_at, stamp(event.expires_at))
    cycle.active[surface] = AuditedRestriction(
        event.throttle_id, event.mode.value, moment.record.place, at, stamp(event.expires_at)
    )


def unrestricted_end(moment: Moment, cycle: AuditedCycle) -> int | None:
    """Returns when (ms) an expired cycle without a restriction ends by itself; None: never."""
    if moment.edition == 1 or cycle.edition == 1 or cycle.active or cycle.expired_at is None:
        return None
    terms = [it for it in (cycle.terms, moment.present) if it is not None]
    after = [it.expires_after for it in terms if it.expires_after is not None]
    return cycle.expired_at + min(after) if after and cycle.state == "EXPIRED" else None


def _ground(
    moment: Moment, cycle: AuditedCycle, event: ThrottleApplied, at: int
) -> Iterator[Finding]:
    if cycle.withdrawn_at is not None:
        yield "restricted_by_withdrawal", "", (cycle.place,)
    elif not cycle.open:
        yield "restricted_after_end", cycle.state, (cycle.place,)
    ends = unrestricted_end(moment, cycle)
    if ends is not None and at >= ends:
        yield "restricted_after_end", f"it ended at {iso(ends)}", (cycle.expired_place,)
    if cycle.barred:
        yield "restricted_after_verdict", "", (cycle.barred,)
    if cycle.terms is None:
        return
    if cycle.delivered_at is None:
        yield "restricted_without_notice", cycle.state, (cycle.place,)
        return
    shown = (cycle.place, cycle.delivered_place)
    if cycle.deadline_at is None or at < cycle.deadline_at:
        yield "restricted_before_deadline", iso(cycle.deadline_at or at), shown
    elif cycle.state != "EXPIRED":
        yield "restricted_before_deadline", f"the cycle is {cycle.state}", shown
    if (event.reason == Ground.DECLINED) != (cycle.declined is not None) and _spoke_before(cycle):
        yield "silence_mistaken", event.reason, (cycle.place,)


def _spoke_before(cycle: AuditedCycle) -> bool:
    """Returns whether the owner's refusal, if any, had entered Kafka by the expiry."""
    word = cycle.declined
    return word is None or cycle.expired_at is None or word.arrived_at <= cycle.expired_at


def _extent(moment: Moment, cycle: AuditedCycle, event: ThrottleApplied) -> Iterator[Finding]:
    surface, level = event.surface.value, LEVELS[event.level.value]
    if cycle.terms is not None:
        if surface not in cycle.surfaces or surface not in cycle.terms.levels:
            yield "surface_not_at_stake", surface, (cycle.place,)
        elif surface in cycle.freed:
            detail = f"{surface}, which a milder policy had freed"
            yield "surface_not_at_stake", detail, (cycle.freed[surface], cycle.place)
        elif level > cycle.terms.levels[surface]:
            yield "level_too_strong", event.level.value, (cycle.place,)
        if event.mode.value == "enforce" and not cycle.terms.fit_to_enforce:
            yield "unfit_policy", "a restriction in enforce", (cycle.place,)
        yield from _follows(moment, cycle, event)
    if moment.present is not None and surface not in moment.present.levels:
        yield "surface_not_at_stake", f"{surface} under the policy in force", ()
    elif moment.present is not None and level > moment.present.levels[surface]:
        yield "level_too_strong", f"{event.level.value} under the policy in force", ()


def _follows(moment: Moment, cycle: AuditedCycle, event: ThrottleApplied) -> Iterator[Finding]:
    """Checks that the terms restrict for this reason; from the second edition on also the policy.

    A refusal that entered after the deadline must be a reason both as refusal and as silence.
    """
    needed, word, on = {event.reason}, cycle.declined, [cycle.terms.on if cycle.terms else None]
    if moment.edition > 1:
        on.append(moment.present.on if moment.present else None)
        late = word is not None and word.arrived_at > (cycle.deadline_at or word.arrived_at)
        if late and event.reason == Ground.DECLINED:
            needed |= {Ground.NO_ANSWER, Ground.DECLINED}
    if any(it is not None and not needed <= it for it in on):
        yield "restricted_without_notice", f"nothing follows from {event.reason}", ()


def _end(cycle: AuditedCycle, event: ThrottleApplied, at: int) -> Iterator[Finding]:
    expires, review = stamp(event.expires_at), stamp(event.review_at)
    if expires <= at:
        yield "end_too_late", "it ends before it begins", ()
    if cycle.terms is None:
        return
    if cycle.terms.expires_after is not None and expires > at + cycle.terms.expires_after:
        yield "end_too_late", f"not after {iso(at + cycle.terms.expires_after)}", ()
    if cycle.terms.review_after is not None and review > at + cycle.terms.review_after:
        yield "end_too_late", f"no review before {iso(review)}", ()


def _statement(moment: Moment, cycle: AuditedCycle, event: ThrottleApplied) -> Iterator[Finding]:
    said = event.statement
    its = said.restriction
    told = (its.surface, its.level, its.effective_at, its.review_at, its.expires_at)
    true = (event.surface, event.level, event.effective_at, event.review_at, event.expires_at)
    if told != true or (said.answer == "declined") != (event.reason == Ground.DECLINED):
        yield "statement_wrong", "the restriction or the answer", ()
    facts = moment.facts
    rightly = _bands(moment, cycle)
    if rightly and said.facts.followers_band not in rightly:
        yield "statement_wrong", "the band of the count at issue", (cycle.place,)
    if facts.get("field") and said.facts.field.value != facts["field"]:
        yield "statement_wrong", "the field", (moment.decision_place,)
    if facts.get("label_source") and said.facts.field_source.value != facts["label_source"]:
        yield "statement_wrong", "who says that the field holds", (moment.decision_place,)
    if cycle.terms is None:
        return
    if cycle.deadline_at is not None and stamp(said.deadline_at) != cycle.deadline_at:
        yield "statement_wrong", "the deadline", (cycle.place, cycle.expired_place)
    if cycle.delivered_at is not None and stamp(said.delivered_at) != cycle.delivered_at:
        yield "statement_wrong", "the delivery", (cycle.delivered_place,)
    ground, terms = said.ground, cycle.terms
    told_terms = (ground.policy_digest, ground.phase, ground.line, ground.notice_version)
    if told_terms != (terms.digest, cycle.phase, cycle.line, cycle.notice_version):
        yield "terms_changed", "the ground of the statement", (cycle.place,)


def _bands(moment: Moment, cycle: AuditedCycle) -> set[str]:
    """Returns the bands that a statement may name; empty if the right one is not known.

    It is the band of the count at issue. A cycle of the first edition did not store that count:
    there the count of the decision takes its place, raised to the line in the second edition.
    """
    if cycle.edition > 1:
        return set() if cycle.followers is None else {band(cycle.followers)}
    present = moment.facts.get("followers")
    if not isinstance(present, int):
        return set()
    return {band(present if moment.edition == 1 else max(present, cycle.line))}


def band(followers: int) -> str:
    """Returns the band of the statement that a count falls into."""
    return BANDS[sum(1 for start in BAND_STARTS if followers >= start)]


def renewed(moment: Moment, cycle: AuditedCycle, event: ThrottleRenewed) -> Iterator[Finding]:
    """Checks a renewal: the restriction exists and has not ended."""
    running = cycle.active.get(event.surface.value)
    if running is None or running.throttle_id != event.throttle_id:
        if cycle.terms is not None:
            yield "restricted_after_end", "renewed, but nothing is restricted", (cycle.place,)
        return
    ends = ends_at(moment, running)
    if stamp(event.decided_at) >= ends:
        yield "renewed_after_end", f"it ended at {iso(ends)}", (running.place,)


def ends_at(moment: Moment, running: AuditedRestriction) -> int:
    """Returns when (ms) a restriction ends: as published, or earlier by a milder policy."""
    after = moment.present.expires_after if moment.present is not None else None
    if after is None or moment.edition == 1:
        return running.expires_at
    return min(running.expires_at, running.effective_at + after)


def lifted(moment: Moment, cycle: AuditedCycle, event: ThrottleLifted) -> Iterator[Finding]:
    """Checks a lift: the surface must be one that Byline restricted.

    One that a milder policy frees is no longer at stake in the cycle.
    """
    account, surface = moment.account, event.surface.value
    running = cycle.active.pop(surface, None)
    if event.reason == Ground.POLICY:
        cycle.freed[surface] = moment.record.place
    if cycle.terms is not None and (running is None or running.throttle_id != event.throttle_id):
        yield "lifted_not_ours", surface, (running.place if running else cycle.place,)
    account.due = [due for due in account.due if due.name != "not_lifted" or due.surface != surface]
    over = cycle.state == "EXPIRED" or cycle.terms is None
    ends = unrestricted_end(moment, cycle)
    late = ends is not None and ends <= stamp(event.decided_at) and not cycle.barred
    cycle.ended = cycle.ended or event.reason == Ground.ENDED or late
    if cycle.ended and not cycle.active and over:
        cycle.state = "NONE"
        cycle_ended(account)
        unclear.cycle_over(account, stamp(event.decided_at))
