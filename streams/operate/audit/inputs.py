"""Takes one input of the second edition: checks whether it was rightly refused, then applies it.

A letter here is a dead letter: the record that says that an input was refused.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.enums import Refused
from streams.operate.audit import apply_inputs, facts, unclear
from streams.operate.audit.guard import AT_ONCE
from streams.operate.audit.happened import Happened
from streams.operate.audit.odd import text
from streams.operate.audit.partition import AuditedPartition
from streams.operate.audit.records import Breach, Record, iso
from streams.operate.audit.refusals import (
    Judged,
    RefusalTerms,
    examine,
    passed_over,
    sampled,
    valid_key,
)
from streams.operate.audit.words import SKEW_MS

NO_LETTER: Mapping[str, Any] = {}
KEY_NAME = b"byline: the name of this key"
"""What is made an HMAC of, to name an `ID_KEY` in a dead letter (schemas/CONTRACT.md)."""
CREATES = ("controls", "account-changes")
"""Inputs after which a worker stores an account's state whatever its follower count."""


def take_input(
    partition: AuditedPartition,
    thing: Happened,
    letter: Mapping[str, Any] | None,
    setting: RefusalTerms,
) -> Iterator[Breach]:
    """Checks and applies one input. `letter` is its dead letter, if it has one."""
    record, now = thing.record, thing.now
    assert record is not None
    key = text(record.key)
    known = partition.accounts.get(key)
    unknown = record.topic == "follower-counts" and known is None and letter is None
    if unknown and passed_over(record, setting):
        partition.guard.skip(record)
        return
    yield from overtaken(record, partition.acted_for, now)
    judged = examine(record, now, setting, known is not None and facts.followed(known))
    yield from _refusal(partition, record, judged, letter, now, setting.id_key)
    _count(partition, record, judged, letter, now, setting)
    refused = letter is not None or judged.refused
    speaks = record.topic in CREATES or (refused and record.topic in AT_ONCE)
    if known is None and not speaks:
        return
    platform = key.partition(":")[0]
    if valid_key(record.key) is None or (setting.policies and platform not in setting.policies):
        return
    if refused:
        _refused(partition, record, judged, letter, now)
    elif record.value is None and record.topic == "category-changes":
        facts.removed(partition.account(key), record, now)
    elif judged.value is not None:
        _follow(partition, key, record, judged, now)


def overtaken(record: Record, acted: tuple[int, str], now: int) -> Iterator[Breach]:
    """Checks that no adverse timer acted before an input was read that had entered by its due time.

    `acted`: the latest due time (ms) for which such a timer acted before this record was read, and
    the place of the decision.
    """
    acted_for, place = acted
    if record.appended and record.timestamp + SKEW_MS < acted_for:
        detail = f"entered {iso(record.timestamp)}, due {iso(acted_for)}"
        yield Breach("input_overtaken", text(record.key), now, detail, (record.place, place))


def take_unreadable(
    partition: AuditedPartition,
    thing: Happened,
    letter: Mapping[str, Any] | None,
    setting: RefusalTerms,
) -> None:
    """Takes a batch that does not unpack. It has one dead letter for all its records.

    The refusal guard counts each of its records as refused.
    """
    assert thing.record is not None
    if letter is None:
        why, place = f"{thing.unread} records that do not unpack", thing.record.place
        breach = Breach("refused_unsaid", "", thing.now, why, (place,))
        partition.unsaid.append((thing.now, place, breach))
    where = (thing.now, setting.policies, partition.switch_log)
    partition.guard.read(thing.record, None, True, letter or NO_LETTER, *where, count=thing.unread)


def _refusal(
    partition: AuditedPartition,
    record: Record,
    judged: Judged,
    letter: Mapping[str, Any] | None,
    now: int,
    id_key: bytes | None,
) -> Iterator[Breach]:
    key = text(record.key)
    if letter is None:
        if judged.refused:
            breach = Breach("refused_unsaid", key, now, judged.why, (record.place,))
            partition.unsaid.append((now, record.place, breach))
        return
    if judged.refused is False:
        yield Breach("refused_wrongly", key, now, str(letter["reason"]), (record.place,))
    digest = letter.get("value_digest")
    if digest is None or record.value is None:
        return
    own = _digest(record.value, letter.get("digest_key"), id_key)
    if own is None:
        partition.digests_skipped += 1
    elif digest != own:
        yield Breach("refused_wrongly", key, now, "another record's digest", (record.place,))


def _digest(value: bytes, key_name: str | None, id_key: bytes | None) -> str | None:
    """The digest that a dead letter must have; None if it was made under a key that is not ours."""
    if key_name is None:
        return hashlib.sha256(value).hexdigest()
    if id_key is None or key_name != hmac.digest(id_key, KEY_NAME, "sha256").hex()[:8]:
        return None
    return hmac.digest(id_key, value, "sha256").hex()


def _count(
    partition: AuditedPartition,
    record: Record,
    judged: Judged,
    letter: Mapping[str, Any] | None,
    now: int,
    setting: RefusalTerms,
) -> None:
    refused = judged.refused if letter is None else (None if judged.refused is False else True)
    skipped = (
        judged.below and not sampled(record.offset) and text(record.key) not in partition.accounts
    )
    if skipped and not refused:
        partition.guard.skip(record)
        return
    where = (now, setting.policies, partition.switch_log)
    partition.guard.read(record, judged, refused, letter or NO_LETTER, *where)


def _refused(
    partition: AuditedPartition,
    record: Record,
    judged: Judged,
    letter: Mapping[str, Any] | None,
    now: int,
) -> None:
    """Notes a refused input of an owner or operator as unclear, if its account is certain."""
    formal = letter is None or letter["reason"] != Refused.NOT_APPROVED
    if record.topic in AT_ONCE and formal and judged.whose == "certain":
        account = partition.account(text(record.key))
        unclear.refused_word(account, record.topic, record.place, record.entered_at(now))


def _follow(
    partition: AuditedPartition, key: str, record: Record, judged: Judged, now: int
) -> None:
    account, present = partition.account(key), partition.present.get(key.partition(":")[0])
    left, until = account.left_at, account.label_until
    apply_inputs.follow(account, record, judged.value, now, present)
    if account.left_at is not None and account.left_at != left:
        partition.overdue.watch(account.left_at, key, "left", record.place)
    if account.label_until is not None and account.label_until != until:
        partition.overdue.watch(account.label_until, key, "label", record.place)
