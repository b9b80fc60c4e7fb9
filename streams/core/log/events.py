"""Turns an event draft into a Kafka record: ids, sequence, common fields, CloudEvents headers."""

from typing import NamedTuple

import msgspec

from schemas.enums import Mode
from schemas.events import EVENT_TOPIC
from streams.core.model import ids
from streams.core.model.account import Account, next_ordinal
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import rfc3339
from streams.core.rules.context import DecisionContext

Headers = tuple[tuple[str, bytes], ...]
_encode = msgspec.json.Encoder().encode


class PublishedEvent(NamedTuple):
    """An event in its wire format. `topic` is without prefix."""

    topic: str
    value: bytes
    headers: Headers
    event_id: str
    sequence: int
    draft: EventDraft


def publish(
    account: Account, change: RowChange, draft: EventDraft, context: DecisionContext
) -> PublishedEvent:
    """Gives an event its id and sequence number, and encodes it.

    The sequence counts per account and mode; the mode is the event's own, not that of the life.
    """
    ref = context.ref
    life = account.life(change.life_mode)
    cycle = life.cycle
    assert cycle is not None, draft
    counted_ordinal = next_ordinal(cycle, draft.event, draft.surface)
    ordinal = counted_ordinal if draft.ordinal is None else draft.ordinal
    event_id = ids.derive(
        *ref, change.life_mode, life.cycle_number, draft.event, draft.surface or "", ordinal
    )
    counted = account.life(draft.mode)
    counted.sequence += 1
    decided_at = rfc3339(context.now)
    policy, terms = context.policy, cycle.terms
    value = {
        "event_id": event_id,
        "event": draft.event,
        "sequence": counted.sequence,
        "platform": ref.platform,
        "account_id": ref.account_id,
        "cycle": life.cycle_number,
        "invitation_id": life.invitation_id(ref, change.life_mode),
        "mode": draft.mode,
        "policy_version": policy.version if policy else terms.policy_version,
        "policy_digest": policy.digest if policy else terms.policy_digest,
        "decided_at": decided_at,
        "reason": draft.reason,
        **draft.data,
    }
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", f"/byline/{ref.platform}".encode()),
        ("ce_type", f"byline.{draft.event}.v1".encode()),
        ("ce_time", decided_at.encode()),
        ("ce_subject", ref.account_id.encode()),
        ("content-type", b"application/json"),
    )
    prefix = "shadow." if draft.mode is Mode.SHADOW else ""
    topic = prefix + EVENT_TOPIC[draft.event]
    return PublishedEvent(topic, _encode(value), headers, event_id, counted.sequence, draft)
