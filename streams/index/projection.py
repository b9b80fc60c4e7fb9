"""Turns a record into rows of the index, from known fields only.

Outputs, decisions and dead letters are Byline's own. Records that others wrote (`words`, `acks`)
are decoded to the contract's fields: numbers, times, ids and values of closed lists. They are
stored only if key and value agree. So no free text of others gets into the index.

A record with a number or text for which a column has no place is undecodable: the limits stand
beside each field (`fitting.py`), so that no record makes the database refuse a whole batch.
"""

import re
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from schemas.enums import (
    ACCOUNT_ID_PATTERN,
    PLATFORM_PATTERN,
    AckOutcome,
    ControlReason,
    Event,
)
from schemas.topics import (
    CHANGELOGS,
    DEAD_LETTERS,
    DECISIONS,
    INPUTS,
    OUTPUTS,
    POLICIES,
    THROTTLE_ACKS,
    Topic,
)
from streams.core.inputs.decode import DECODERS, Actor, DecodedSwitchChange, Identifier, instant_of
from streams.core.inputs.letters import refused_reason, refused_topic
from streams.core.limits.switches import EVERYWHERE
from streams.core.model.account import decode_account
from streams.core.model.instants import milliseconds
from streams.index import fitting
from streams.index.fitting import (
    Number,
    Offset,
    PartitionNumber,
    Text8,
    Text16,
    Text32,
    Text64,
    Text128,
)
from streams.index.rows import Rows
from streams.index.work import NO_WORK, work_of
from streams.operate.account_states import RESERVED, check_reserved, interesting
from streams.operate.audit.records import Record
from streams.policies.texts import fits

ACCOUNTS = CHANGELOGS[0]
UNDECODABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
_WORDS = tuple(topic for topic in INPUTS if topic.cleanup == "delete")
READ: tuple[Topic, ...] = (
    *(*_WORDS, *OUTPUTS, DECISIONS, DEAD_LETTERS, THROTTLE_ACKS, POLICIES, ACCOUNTS),
)
"""The topics that are indexed: all but readings and labels; the accounts' state has the newest."""

_NEXT = b"#next"
_KEPT = RESERVED | {_NEXT}
_KEY = re.compile(f"({PLATFORM_PATTERN[1:-1]}):({ACCOUNT_ID_PATTERN[1:-1]})".encode())
_OBLIGES = frozenset({str(Event.THROTTLE_APPLIED), str(Event.THROTTLE_LIFTED)})
_SCOPE = re.compile(rf"\*|{PLATFORM_PATTERN[1:-1]}")


class _Event(Struct, gc=False):
    event_id: Text128
    event: Text32
    sequence: Number
    platform: Text32
    account_id: Text64
    cycle: Number
    invitation_id: Text128
    mode: Text8
    decided_at: datetime
    reason: Text32
    surface: Text32 | None = None
    level: Text32 | None = None
    throttle_id: Text128 | None = None
    phase: Text128 | None = None
    field: Text32 | None = None
    deadline_at: datetime | None = None


class _Transition(Struct, gc=False):
    machine: str
    from_state: str
    to_state: str
    input: str


class _Deferral(Struct, gc=False):
    event: str
    by: list[str]


class _Cause(Struct, gc=False):
    topic: str | None = None
    offset: Number | None = None


class _Facts(Struct, gc=False):
    field: Text32 | None = None


class _Decision(Struct, gc=False):
    kind: Text16
    number: Number
    now: datetime
    platform: Text32 | None = None
    account_id: Text64 | None = None
    policy_version: Number | None = None
    cause: Raw = Raw(b"null")
    facts: Raw = Raw(b"{}")
    transitions: Raw = Raw(b"[]")
    deferrals: Raw = Raw(b"[]")
    ignored: Text32 | None = None
    cluster_changed: datetime | None = None


class _Letter(Struct, gc=False):
    topic: str
    partition: PartitionNumber
    offset: Offset
    timestamp: datetime
    reason: str
    value_bytes: Number
    refused_at: datetime
    field: Text32 | None = None
    last_offset: Number | None = None


class _Settlement(Struct, gc=False):
    settled: Literal["redriven", "dismissed"]
    topic: str
    partition: PartitionNumber
    offset: Offset
    actor: Actor
    reason: ControlReason
    at: datetime


class _Ack(Struct, gc=False):
    platform: str
    account_id: str
    event_id: Identifier
    outcome: AckOutcome
    system: Identifier
    occurred_at: datetime


class _Policy(Struct, gc=False):
    platform: Text32
    version: Number


_events = msgspec.json.Decoder(_Event)
_decisions = msgspec.json.Decoder(_Decision)
_letters = msgspec.json.Decoder(_Letter)
_settlements = msgspec.json.Decoder(_Settlement)
_acks = msgspec.json.Decoder(_Ack)
_policies = msgspec.json.Decoder(_Policy)
_transitions = msgspec.json.Decoder(list[_Transition])
_deferrals = msgspec.json.Decoder(list[_Deferral])
_causes = msgspec.json.Decoder(_Cause)
_facts = msgspec.json.Decoder(_Facts)
_encode = msgspec.json.Encoder().encode

MARKS = {
    "invitation.issued": "issued_at",
    "invitation.delivered": "delivered_at",
    "invitation.undeliverable": "undeliverable_at",
    "invitation.expired": "expired_at",
    "invitation.cancelled": "cancelled_at",
    "consent.declined": "declined_at",
    "consent.granted": "granted_at",
    "consent.withdrawn": "withdrawn_at",
    "consent.voided": "withdrawn_at",
    "throttle.applied": "restricted_at",
    "throttle.lifted": "lifted_at",
}
"""Event → the column of `cycles` that its time goes into. Other events have no such column."""


def project(record: Record, rows: Rows, full_prefix: str) -> None:
    """Adds the rows of a record. Raises one of `UNDECODABLE` if its form is not that of its topic.

    `full_prefix`: the prefix of topic names that stand inside records.
    """
    topic, value = record.topic, record.value
    if topic == ACCOUNTS.name:
        _state(record, rows)
    elif topic == DECISIONS.name:
        _decision(record, rows)
    elif topic in _OUTPUTS:
        _event(record, rows)
    elif topic in _INPUTS:
        _word(record, rows)
    elif topic == DEAD_LETTERS.name:
        _letter(record, rows, full_prefix)
    elif topic == THROTTLE_ACKS.name:
        _ack(record, rows)
    elif topic == POLICIES.name and record.key is not None:
        _policy(record, fitting.plain_key(record.key), value or b"", rows)


_OUTPUTS = frozenset(topic.name for topic in OUTPUTS)
_INPUTS = frozenset(topic.name for topic in _WORDS)


def _event(record: Record, rows: Rows) -> None:
    raw = fitting.flat_json(record.value or b"")
    it = _events.decode(raw)
    fitting.hold_parts(it.event, it.surface, it.level, it.reason, it.field)
    if it.surface is None and it.event in _OBLIGES:
        raise fitting.UnfitError("a restriction of no surface")
    decided_at, text = milliseconds(it.decided_at), raw.decode()
    deadline_at = None if it.deadline_at is None else milliseconds(it.deadline_at)
    account = f"{it.platform}:{it.account_id}"
    rows.events.append(
        (
            *(record.topic, record.partition, record.offset, account, it.platform, it.mode),
            *(it.event, it.sequence, it.cycle, it.reason, it.surface, it.event_id),
            *(it.throttle_id, decided_at, text),
        )
    )
    about = rows.cycle(account, it.invitation_id)
    about["platform"], about["cycle"] = it.platform, it.cycle
    mark = MARKS.get(it.event)
    if it.event.startswith("throttle."):
        if mark is not None:
            mark = mark if it.mode == "enforce" else f"shadow_{mark}"
            if it.event != "throttle.applied" or mark not in about:
                about[mark] = decided_at
        return
    about["mode"] = it.mode
    if mark is not None and (it.event != "invitation.issued" or mark not in about):
        about[mark] = decided_at
    if it.phase is not None:
        about["phase"], about["field"] = it.phase, it.field
    if deadline_at is not None:
        about["deadline_at"] = deadline_at


def _decision(record: Record, rows: Rows) -> None:
    raw = fitting.plain_json(record.value or b"")
    it = _decisions.decode(raw)
    now = milliseconds(it.now)
    if it.kind != "decision":
        if it.kind != "transaction" or it.cluster_changed is not None:
            place = (record.partition, record.offset)
            rows.log.append((*place, it.kind, it.number, now, raw.decode()))
        return
    if it.platform is None or it.account_id is None:
        raise fitting.UnfitError("a decision about no account")
    account = f"{it.platform}:{it.account_id}"
    facts, transitions = bytes(it.facts), bytes(it.transitions)
    eligible, field = False, None
    cause = _causes.decode(it.cause)
    if (cause.topic is None) != (cause.offset is None):
        raise fitting.UnfitError("a cause without a place")
    if transitions != b"[]":
        eligible = any(map(_eligible, _transitions.decode(transitions)))
        field = _facts.decode(facts).field if eligible else None
    if it.deferrals != b"[]":
        _deferrals.decode(it.deferrals)
    closed = b'"closed":true' in facts
    rows.decisions.append(
        (
            *(record.partition, record.offset, account, it.platform, it.number, now),
            *(it.policy_version, bytes(it.cause).decode(), eligible, field),
            None if transitions == b"[]" else transitions.decode(),
            None if it.deferrals == b"[]" else bytes(it.deferrals).decode(),
            *(it.ignored, None if closed else facts.decode()),
        )
    )
    if closed:
        rows.closed.append((account, record.partition, record.offset))


def _eligible(one: _Transition) -> bool:
    return (one.machine, one.from_state, one.to_state) == ("eligibility", "DWELLING", "INSIDE")


def _word(record: Record, rows: Rows) -> None:
    """Adds an input of an owner, an operator or the notifier, unless its form is wrong."""
    if record.value is None or record.key is None:
        return
    try:
        it = DECODERS[record.topic].decode(record.value)
    except UNDECODABLE:
        return
    place = (record.topic, record.partition, record.offset)
    if isinstance(it, DecodedSwitchChange):
        own = f"{it.scope}:{it.switch}".encode() == record.key
        if not own or not (it.scope == EVERYWHERE or _SCOPE.fullmatch(it.scope)):
            return
        account, word = None, str(it.switch)
    else:
        account = f"{it.platform}:{it.account_id}"
        if account.encode() != record.key or not _KEY.fullmatch(record.key):
            return
        word = _named(it)
    try:
        at = instant_of(it)
    except UNDECODABLE:
        return
    rows.words.append((*place, account, word, at, record.timestamp, _encode(it).decode()))


def _named(it: Any) -> str:
    for name in ("command", "answer", "outcome", "change"):
        if hasattr(it, name):
            return str(getattr(it, name))
    raise TypeError(type(it).__name__)


def _letter(record: Record, rows: Rows, full_prefix: str) -> None:
    raw = fitting.plain_json(record.value or b"")
    if b'"settled"' in raw:
        _settlement(record, rows, full_prefix)
        return
    it = _letters.decode(raw)
    key = fitting.plain_key(record.key or b"")
    match = _KEY.fullmatch(record.key or b"")
    platform = match[1].decode() if match else None
    origin = refused_topic(it.topic, full_prefix)
    reason = refused_reason(it.reason)
    rows.letters.append(
        (
            *(record.partition, record.offset, key, key if match else None),
            *(platform, origin, it.partition, it.offset, it.last_offset, reason, it.field),
            *(it.value_bytes, milliseconds(it.timestamp), milliseconds(it.refused_at), False),
        )
    )


def _settlement(record: Record, rows: Rows, full_prefix: str) -> None:
    it = _settlements.decode(record.value or b"")
    origin = refused_topic(it.topic, full_prefix)
    rows.settlements.append(
        (
            *(record.partition, record.offset, origin, it.partition, it.offset),
            *(it.settled, it.actor, str(it.reason), milliseconds(it.at)),
        )
    )


def _ack(record: Record, rows: Rows) -> None:
    it = _acks.decode(record.value or b"")
    account = f"{it.platform}:{it.account_id}"
    if account.encode() != record.key or not _KEY.fullmatch(record.key):
        raise ValueError("an acknowledgement under another key")
    rows.acks.append(
        (
            *(record.partition, record.offset, account, it.event_id, str(it.outcome)),
            *(it.system, milliseconds(it.occurred_at), record.timestamp),
        )
    )


def _policy(record: Record, digest: str, value: bytes, rows: Rows) -> None:
    it = _policies.decode(fitting.plain_json(value))
    if not fits(digest, value):
        raise fitting.UnfitError("a text that is not the one of its digest")
    place = (record.offset, record.timestamp)
    rows.policies[digest] = (it.platform, it.version, *place, value.decode())


def _state(record: Record, rows: Rows) -> None:
    """Adds a record of the accounts' changelog; skips a partition's keys that no query needs."""
    key = record.key
    if key is None or (key[:1] == b"#" and key not in _KEPT):
        return
    at = (record.partition, fitting.plain_key(key))
    if len(at[1]) > fitting.MOST_KEY:
        raise fitting.UnfitError("a key that is too long")
    if record.value is None:
        rows.states[at] = None
        return
    live, watched, work = None, False, NO_WORK
    check_reserved(key, record.value)
    if key[:1] not in (b"#", b"~"):
        account = decode_account(record.value)
        live, watched = int(account.live.state), interesting(account)
        work = work_of(account, at[1]) if watched else work
        fitting.hold_numbers(work.due_at, work.waits_since, work.unclear_since, work.appeal_since)
    rows.states[at] = (record.offset, record.timestamp, live, watched, record.value, *work)
