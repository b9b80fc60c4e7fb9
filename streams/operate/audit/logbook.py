"""Reads the decision log, checks its records and applies them to a partition's state."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.enums import ADVERSE_EVENTS
from schemas.records import RECORD_MODELS
from streams.operate.audit import facts
from streams.operate.audit.account_state import AuditedAccount
from streams.operate.audit.dues import cycle_ended
from streams.operate.audit.happened import bare, plain_of
from streams.operate.audit.odd import mapping, text
from streams.operate.audit.partition import RESCANNED, AuditedPartition
from streams.operate.audit.records import SECOND, Breach, Record, millis, places, stamp
from streams.operate.audit.switch_log import SwitchTurn
from streams.operate.audit.switches import switch_of
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import SaidTimes

TIMES = ("now", "issued_at", "opened_at", "cluster_changed", "as_of", "due_at")
FACT_TIMES = ("label_observed_at", "observed_at")
"""Of a decision's facts: as times, no model holds them."""


def logged(record: Record) -> Mapping[str, Any] | None:
    """Parses a record of the log; returns None if it has no form that was ever published."""
    plain = mapping(record.value)
    model = RECORD_MODELS.get(str(plain.get("kind")))
    if model is None:
        return None
    try:
        model.model_validate_json(record.value or b"", strict=True)
        for part in (plain, plain.get("cause"), plain.get("facts"), *plain.get("steps", ())):
            for name in (*TIMES, *FACT_TIMES):
                if isinstance(part, dict) and part.get(name) is not None:
                    millis(part[name])
    except (ValidationError, ValueError, OverflowError, TypeError):
        return None
    return plain


def decision(
    partition: AuditedPartition, record: Record, plain: Mapping[str, Any], require_approvals: bool
) -> Iterator[Breach]:
    """Checks a decision's cause, and applies what its facts say of the account."""
    key, cause, known = key_of(plain), plain["cause"], plain.get("facts", {})
    if "offset" in cause and bare(cause["topic"]) != "switches":
        before = partition.replay_order.reads.get(bare(cause["topic"]), 0)
        again = bare(cause["topic"]) in partition.rescan
        if cause["offset"] < before and not again and (plain["events"] or plain["transitions"]):
            detail = f"{cause['topic']}@{cause['offset']}, {before} were read"
            yield report("input_applied_twice", plain, detail, record.place)
        yield from _cause(partition, record, plain, require_approvals)
    _adverse_timer(partition, record, plain)
    # A decision that publishes something or starts a dwell rests on a label and a count, so its
    # account becomes known here even if those inputs were not read.
    told = plain["events"] or _dwells(plain)
    account = partition.account(key) if told else partition.accounts.get(key)
    if account is None:
        return
    for name, attribute in (("label_observed_at", "label_at"), ("observed_at", "reading_at")):
        if isinstance(known.get(name), str):
            at = max(millis(known[name]), getattr(account, attribute))
            setattr(account, attribute, at)
    _silent_end(account, plain)


def _adverse_timer(partition: AuditedPartition, record: Record, plain: Mapping[str, Any]) -> None:
    """Stores the due instant of a timer that published an adverse event."""
    adverse = any(it["event"] in ADVERSE_EVENTS for it in plain["events"])
    if adverse and "due_at" in plain["cause"]:
        due_at = millis(plain["cause"]["due_at"])
        partition.acted_for = max(partition.acted_for, (due_at, record.place))


def _dwells(plain: Mapping[str, Any]) -> bool:
    return any(it["to_state"] == "DWELLING" for it in plain["transitions"])


def _silent_end(account: AuditedAccount, plain: Mapping[str, Any]) -> None:
    """Ends an expired cycle without a restriction; no event says so."""
    over = any(
        (it["machine"], it["from_state"], it["to_state"]) == ("invitation", "EXPIRED", "NONE")
        for it in plain["transitions"]
    )
    for cycle in account.cycles.values() if over and not plain["events"] else ():
        due = cycle.edition == 1 or millis(plain["now"]) + SECOND > cycle.may_end_at
        if cycle.state == "EXPIRED" and not cycle.active and due:
            cycle.state = "NONE"
            cycle_ended(account)
            account.end_unclear("answers", millis(plain["now"]))


def _cause(
    partition: AuditedPartition, record: Record, plain: Mapping[str, Any], require_approvals: bool
) -> Iterator[Breach]:
    """Checks that a decision's input is of the same account, and a bulk control is approved."""
    cause = partition.newest.get(bare(plain["cause"]["topic"]))
    if cause is None or cause.offset != plain["cause"]["offset"]:
        return
    where = (record.place, cause.place)
    if text(cause.key) != key_of(plain):
        yield report("crossed_accounts", plain, "caused by another's record", *where)
    if require_approvals and cause.topic == "controls":
        named = plain_of(cause)
        protects = named.get("command") not in ("unhold", "reissue", "settle", "appeal_rejected")
        asked = named.get("bulk_id") and not (protects and partition.replay_order.edition > 1)
        if asked and named.get("approved_by") in (None, named.get("actor")):
            yield report("unapproved_bulk", plain, "", *where)


def policies(
    partition: AuditedPartition,
    plain: Mapping[str, Any],
    known: Mapping[str, AuditedTerms],
    edition: int,
) -> None:
    """Puts the policies of a `policies` record in force; `known` has all of them by digest."""
    partition.present = {}
    partition.rescan = RESCANNED if partition.replay_order.reads else frozenset()
    for platform, named in plain["policies"].items():
        terms = known.get(str(named).partition(":")[2])
        if terms is not None:
            partition.present[platform] = terms
    if edition > 1:
        for key, account in partition.accounts.items():
            terms = partition.present.get(key.partition(":")[0])
            if terms is not None:
                _adopt(partition, account, terms, millis(plain["now"]))


def _adopt(
    partition: AuditedPartition, account: AuditedAccount, terms: AuditedTerms, now: int
) -> None:
    """Applies a new policy to an account: notes which ends are due because of it.

    A milder policy counts at once. What rests on a phase, surface or mode that is gone must end.
    """
    for cycle in account.cycles.values():
        if cycle.state == "NONE":
            continue
        fresh = terms.notice_version not in cycle.versions
        if cycle.versions[-1:] != [terms.notice_version]:
            cycle.versions.append(terms.notice_version)
        if terms.expires_after is not None and cycle.state == "EXPIRED":
            begun = [it.effective_at for it in cycle.active.values()]
            start = min([*begun, *(it for it in (cycle.expired_at,) if it is not None)])
            cycle.may_end_at = min(cycle.may_end_at, start + terms.expires_after)
        if cycle.open:
            partition.overdue.watch(now + 1, account.key, "policy", cycle.place)
        for surface, held in cycle.active.items():
            partition.overdue.watch(now + 1, account.key, "policy", held.place, surface)
            if terms.expires_after is not None:
                ends = held.effective_at + terms.expires_after
                partition.overdue.watch(ends, account.key, "ends", held.place, surface)
        asks = terms.renew and fresh and cycle.consented != terms.notice_version
        if asks and cycle.state == "GRANTED":
            partition.overdue.watch(now + 1, account.key, "notice", cycle.place)
    left = account.left_at
    facts.adopt(account, now, terms)
    if account.left_at is not None and account.left_at != left:
        partition.overdue.watch(account.left_at, account.key, "left", "")


def turned(
    partition: AuditedPartition, plain: Mapping[str, Any], place: str, topic: Mapping[int, Record]
) -> None:
    """Applies a record that says that the partition obeyed a switch.

    `topic`: the records of the topic of switches by offset.
    """
    issued_at = millis(plain["issued_at"])
    first = last = issued_at
    found = topic.get(plain["cause"]["offset"])
    value = None if found is None else switch_of(found)
    if found is not None and value is not None and partition.replay_order.edition > 1:
        said = SaidTimes(stamp(value.issued_at), found.entered_at(millis(plain["now"])))
        first, last = said.at, said.last
    if plain["switch"] == "refusals_settled":
        partition.guard.turned(plain["scope"], plain["on"], issued_at, partition.present)
    partition.switch_log.turn(
        SwitchTurn(plain["scope"], plain["switch"], plain["on"], first, last, place)
    )


def key_of(plain: Mapping[str, Any]) -> str:
    """Returns the key of the account that a record of the log concerns; empty if none."""
    return f"{plain['platform']}:{plain['account_id']}" if "account_id" in plain else ""


def report(name: str, plain: Mapping[str, Any], detail: str, *where: str) -> Breach:
    """Returns a breach that a record of the log shows. `where`: the places of the records."""
    return Breach(name, key_of(plain), millis(plain["now"]), detail, places(*where))
