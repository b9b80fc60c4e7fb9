"""Checks one event: first by the rules for every event, then by those for its kind."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.enums import ADVERSE_EVENTS, Event, Mode
from schemas.events import (
    EVENT_MODELS,
    TRACEPARENT,
    TRACEPARENT_PATTERN,
    ConsentDeclined,
    ConsentGranted,
    ConsentVoided,
    ConsentWithdrawn,
    InvitationCancelled,
    InvitationDelivered,
    InvitationExpired,
    InvitationExtended,
    InvitationIssued,
    InvitationReminded,
    InvitationUndeliverable,
    ThrottleApplied,
    ThrottleLifted,
    ThrottleRenewed,
)
from streams.operate.audit import consents, invitations, throttles
from streams.operate.audit.account_state import AuditedAccount, AuditedCycle
from streams.operate.audit.caps import AuditedCaps
from streams.operate.audit.doubts import people_and_doubts
from streams.operate.audit.happened import Happened, bare
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.odd import mapping, text
from streams.operate.audit.partition import AuditedPartition
from streams.operate.audit.records import Breach, Record, places, stamp
from streams.operate.audit.terms import AuditedTerms

_TRACE = re.compile(TRACEPARENT_PATTERN.strip("^$"))
CHECKS: dict[type, Callable[[Moment, AuditedCycle, Any], Iterator[Finding]]] = {
    InvitationDelivered: invitations.delivered,
    InvitationUndeliverable: invitations.undeliverable,
    InvitationReminded: invitations.reminded,
    InvitationExtended: invitations.extended,
    InvitationExpired: invitations.expired,
    InvitationCancelled: invitations.cancelled,
    ConsentGranted: consents.granted,
    ConsentDeclined: consents.declined,
    ConsentWithdrawn: consents.withdrawn,
    ConsentVoided: consents.voided,
    ThrottleApplied: throttles.applied,
    ThrottleRenewed: throttles.renewed,
    ThrottleLifted: throttles.lifted,
}


OF_WORDS = frozenset({"delivery_without_word", "delivery_backdated", "consent_without_answer"})
"""Breaches that need the receipt or answer that caused the event; else they are not reported."""


def judge(
    partition: AuditedPartition,
    policies: Mapping[str, AuditedTerms],
    thing: Happened,
    caps: AuditedCaps,
    *,
    whole: bool,
    require_approvals: bool,
) -> Iterator[Breach]:
    """Checks one event, notes what follows from it, and yields its breaches.

    `policies`: all published ones by digest. `whole`: the topics were read from their beginning.
    """
    record = thing.record
    assert record is not None
    key, plain = text(record.key), mapping(record.value)
    try:
        model = EVENT_MODELS[Event(plain["event"])]
        event: Any = model.model_validate_json(record.value or b"", strict=True)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        words = f"{type(error).__name__}: {_first_fault(error)}"
        yield Breach("invalid_event", key, record.timestamp, words, (record.place,))
        return
    at = stamp(event.decided_at)
    account = partition.account(key)
    account.release_expired_hold(at)
    decision = thing.decided
    moment = Moment(
        record,
        account,
        event.platform,
        policies.get(event.policy_digest),
        partition.present.get(event.platform),
        partition.switch_log,
        partition.switches.switch_log,
        decision.plain.get("facts", {}) if decision else {},
        decision.record.place if decision else "",
        whole,
        require_approvals,
        thing.edition,
        partition.tripped(event.platform),
        partition.changed_place if _since(partition.changed_at, at) else None,
        thing.out_of_turn,
        tuple(partition.pauses),
    )
    shown = (record.place, moment.decision_place)
    found = [
        *_envelope(record, plain),
        *_accounted(thing, plain),
        *_policy(moment, event),
        *_order(account, plain, whole),
        *(people_and_doubts(moment, event.event, at) if event.event in ADVERSE_EVENTS else ()),
        *_kind(moment, event),
        *(("cap_exceeded", detail, ()) for detail in _capped(moment, event, caps)),
    ]
    if isinstance(event, ThrottleApplied):
        present, ends = moment.present, stamp(event.expires_at)
        if thing.edition > 1 and present is not None and present.expires_after is not None:
            ends = min(ends, stamp(event.effective_at) + present.expires_after)
        partition.overdue.watch(ends, key, "ends", record.place, event.surface.value)
    unseen = OF_WORDS if not whole and _unseen(partition, thing) else frozenset()
    for name, detail, more in found:
        if name in unseen:
            continue
        yield Breach(
            name, key, at, f"{event.event.value}: {detail}".rstrip(": "), places(*shown, *more)
        )


def _unseen(partition: AuditedPartition, thing: Happened) -> bool:
    """Returns whether the input behind an event was not read: it entered before reading began."""
    cause = thing.decided.plain["cause"] if thing.decided is not None else {}
    newest = partition.newest.get(bare(cause.get("topic", "")))
    return "offset" in cause and (newest is None or newest.offset != cause["offset"])


def _capped(moment: Moment, event: Any, caps: AuditedCaps) -> Iterator[str]:
    terms = [it for it in (moment.terms, moment.present) if it is not None]
    return caps.take(event, terms)


def _since(start: int | None, at: int) -> bool:
    return start is not None and at >= start


def _envelope(record: Record, plain: Mapping[str, Any]) -> Iterator[Finding]:
    """Checks that key, topic and CloudEvents headers agree with the value."""
    if record.key != f"{plain['platform']}:{plain['account_id']}".encode():
        yield "crossed_accounts", "the key is another account's", ()
    if record.topic.startswith("shadow.") != (plain["mode"] == "shadow"):
        yield "modes_mixed", plain["mode"], ()
    said = dict(record.headers)
    true = {
        "ce_specversion": "1.0",
        "content-type": "application/json",
        "ce_id": plain["event_id"],
        "ce_source": f"/byline/{plain['platform']}",
        "ce_type": f"byline.{plain['event']}.v1",
        "ce_time": plain["decided_at"],
        "ce_subject": plain["account_id"],
    }
    for header, value in true.items():
        if said.get(header) != str(value).encode():
            yield "decision_differs", f"the header {header}", ()
    trace = said.get(TRACEPARENT)
    if trace is not None and not _TRACE.fullmatch(trace.decode("latin-1")):
        yield "decision_differs", f"the header {TRACEPARENT}", ()


def _accounted(thing: Happened, plain: Mapping[str, Any]) -> Iterator[Finding]:
    """Checks the decision that lists an event: same account, same instant, same fields."""
    if thing.decided is None or thing.listed is None:
        yield "event_without_decision", "", ()
        return
    decision = thing.decided.plain
    if (decision["platform"], decision["account_id"]) != (plain["platform"], plain["account_id"]):
        yield "crossed_accounts", "decided for another account", ()
    for field, value in thing.listed.items():
        if plain.get(field) != value:
            yield "decision_differs", field, ()
    if decision["now"] != plain["decided_at"]:
        yield "decision_differs", f"decided at {decision['now']}", ()


def _policy(moment: Moment, event: Any) -> Iterator[Finding]:
    terms = moment.terms
    if terms is None:
        yield "policy_unknown", event.policy_digest, ()
    elif terms.platform != event.platform:
        yield "crossed_accounts", f"the policy is that of {terms.platform}", ()
    elif terms.version != event.policy_version:
        yield "terms_changed", f"the version of this digest is {terms.version}", ()
    elif moment.require_approvals and event.event in ADVERSE_EVENTS:
        live = event.mode is Mode.ENFORCE and terms.mode == Mode.ENFORCE
        if live and not terms.approved:
            yield "unapproved_policy", f"approved by {', '.join(terms.approvers) or 'nobody'}", ()


def _order(account: AuditedAccount, plain: Mapping[str, Any], whole: bool) -> Iterator[Finding]:
    mode, sequence = plain["mode"], plain["sequence"]
    before = account.sequences.get(mode)
    if before is None and not whole:
        before = sequence - 1
    if sequence != (before or 0) + 1:
        yield "sequence_broken", f"{sequence} after {before or 0}", ()
    account.sequences[mode] = max(sequence, before or 0)
    cycle = account.named(plain["invitation_id"])
    if cycle is not None:
        if plain["event_id"] in cycle.ids:
            yield "event_twice", plain["event_id"], (cycle.place,)
        cycle.ids.add(plain["event_id"])


def _kind(moment: Moment, event: Any) -> Iterator[Finding]:
    if isinstance(event, InvitationIssued):
        yield from invitations.issued(moment, event)
        moment.account.cycles[event.mode.value].ids.add(event.event_id)
        return
    account = moment.account
    cycle = account.named(event.invitation_id)
    if cycle is None:
        if moment.whole:
            restricts = isinstance(event, ThrottleApplied | InvitationExpired)
            name = "restricted_without_notice" if restricts else "cycle_opened_twice"
            yield name, "its cycle was never issued", ()
        cycle = account.cycles[event.mode.value] = AuditedCycle(
            event.cycle, event.invitation_id, event.mode.value, moment.record.place, None, 0
        )
        account.last_cycles[event.mode.value] = event.cycle
    if event.cycle != cycle.number:
        yield "cycle_opened_twice", f"the invitation is of cycle {cycle.number}", (cycle.place,)
    yield from CHECKS[type(event)](moment, cycle, event)


def _first_fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['type']}"
    return "not an event"
