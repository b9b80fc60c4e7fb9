"""Turns a record into rows of the index, from known fields only.

Outputs, decisions and dead letters are Byline's own. Records that others wrote (`words`, `acks`)
are decoded to the contract's fields: numbers, times, ids and values of closed lists. They are
stored only if key and value agree. So no free text of others gets into the index.
"""

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas.enums import ACCOUNT_ID_PATTERN, PLATFORM_PATTERN, AckOutcome, ControlReason
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
from streams.core.limits.switches import EVERYWHERE
from streams.core.model.account import decode_account
from streams.core.model.instants import milliseconds
from streams.index.rows import Rows
from streams.index.work import NO_WORK, work_of
from streams.operate.account_states import RESERVED, interesting
from streams.operate.audit.records import Record

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
_SCOPE = re.compile(rf"\*|{PLATFORM_PATTERN[1:-1]}")


class _Event(Struct, gc=False):
    event_id: str
    event: str
    sequence: int
    platform: str
    account_id: str
    cycle: int
    invitation_id: str
    mode: str
    decided_at: datetime
    reason: str
    surface: str | None = None
    throttle_id: str | None = None
    phase: str | None = None
    field: str | None = None
    deadline_at: datetime | None = None


class _Transition(Struct, gc=False):
    machine: str
    from_state: str
    to_state: str


class _Facts(Struct, gc=False):
    field: str | None = None


class _Decision(Struct, gc=False):
    kind: str
    number: int
    now: datetime
    platform: str | None = None
    account_id: str | None = None
    policy_version: int | None = None
    cause: Raw = Raw(b"null")
    facts: Raw = Raw(b"{}")
    transitions: Raw = Raw(b"[]")
    deferrals: Raw = Raw(b"[]")
    ignored: str | None = None
    cluster_changed: datetime | None = None


class _Letter(Struct, gc=False):
    topic: str
    partition: int
    offset: int
    timestamp: datetime
    reason: str
    value_bytes: int
    refused_at: datetime
    field: str | None = None
    last_offset: int | None = None


class _Settlement(Struct, gc=False):
    settled: str
    topic: str
    partition: int
    offset: int
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
    platform: str
    version: int


_events = msgspec.json.Decoder(_Event)
_decisions = msgspec.json.Decoder(_Decision)
_letters = msgspec.json.Decoder(_Letter)
_settlements = msgspec.json.Decoder(_Settlement)
_acks = msgspec.json.Decoder(_Ack)
_policies = msgspec.json.Decoder(_Policy)
_transitions = msgspec.json.Decoder(list[_Transition])
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
        _policy(record, record.key.decode(), value or b"", rows)


_OUTPUTS = frozenset(topic.name for topic in OUTPUTS)
_INPUTS = frozenset(topic.name for topic in _WORDS)


def _event(record: Record, rows: Rows) -> None:
    raw = record.value or b""
    it = _events.decode(raw)
    account = f"{it.platform}:{it.account_id}"
    decided_at = milliseconds(it.decided_at)
    rows.events.append(
        (
            *(record.topic, record.partition, record.offset, account, it.platform, it.mode),
            *(it.event, it.sequence, it.cycle, it.reason, it.surface, it.event_id),
            *(it.throttle_id, decided_at, raw.decode()),
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
    if it.deadline_at is not None:
        about["deadline_at"] = milliseconds(it.deadline_at)


def _decision(record: Record, rows: Rows) -> None:
    raw = record.value or b""
    it = _decisions.decode(raw)
    now = milliseconds(it.now)
    if it.kind != "decision":
        if it.kind != "transaction" or it.cluster_changed is not None:
            place = (record.partition, record.offset)
            rows.log.append((*place, it.kind, it.number, now, raw.decode()))
        return
    account = f"{it.platform}:{it.account_id}"
    facts, transitions = bytes(it.facts), bytes(it.transitions)
    eligible, field = False, None
    if b'"DWELLING"' in transitions:
        eligible = any(_eligible(one) for one in _transitions.decode(transitions))
        field = _facts.decode(facts).field if eligible else None
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
    if b'"settled"' in (record.value or b""):
        _settlement(record, rows, full_prefix)
        return
    it = _letters.decode(record.value or b"")
    key = record.key or b""
    match = _KEY.fullmatch(key)
    platform = match[1].decode() if match else None
    origin = it.topic.removeprefix(full_prefix)
    rows.letters.append(
        (
            *(record.partition, record.offset, key.decode(), key.decode() if match else None),
            *(platform, origin, it.partition, it.offset, it.last_offset, it.reason, it.field),
            *(it.value_bytes, milliseconds(it.timestamp), milliseconds(it.refused_at), False),
        )
    )


def _settlement(record: Record, rows: Rows, full_prefix: str) -> None:
    it = _settlements.decode(record.value or b"")
    origin = it.topic.removeprefix(full_prefix)
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
    it = _policies.decode(value)
    place = (record.offset, record.timestamp)
    rows.policies[digest] = (it.platform, it.version, *place, value.decode())


def _state(record: Record, rows: Rows) -> None:
    """Adds a record of the accounts' changelog; skips a partition's keys that no query needs."""
    key = record.key
    if key is None or (key[:1] == b"#" and key not in _KEPT):
        return
    at = (record.partition, key.decode())
    if record.value is None:
        rows.states[at] = None
        return
    live, watched, work = None, False, NO_WORK
    if key[:1] not in (b"#", b"~"):
        account = decode_account(record.value)
        live, watched = int(account.live.state), interesting(account)
        work = work_of(account, at[1]) if watched else work
    rows.states[at] = (record.offset, record.timestamp, live, watched, record.value, *work)
