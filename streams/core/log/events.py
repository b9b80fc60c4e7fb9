"""Turns an event draft into a Kafka record: ids, sequence, common fields, CloudEvents headers."""

from functools import lru_cache

import msgspec
from msgspec import Struct

from schemas.enums import Event, Mode
from schemas.events import EVENT_TOPIC
from streams.core.model import ids
from streams.core.model.account import Account, next_ordinal
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import rfc3339
from streams.core.rules.context import DecisionContext

Header = tuple[str, bytes]
Headers = tuple[Header, ...]
_encode = msgspec.json.Encoder().encode
_SPEC_VERSION: Header = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Header = ("content-type", b"application/json")
_TYPES: dict[Event, Header] = {
    event: ("ce_type", f"byline.{event}.v1".encode()) for event in EVENT_TOPIC
}


@lru_cache(maxsize=64)
def _source(platform: str) -> Header:
    return ("ce_source", f"/byline/{platform}".encode())


@lru_cache(maxsize=64)
def _time(decided_at: str) -> Header:
    return ("ce_time", decided_at.encode())


class PublishedEvent(Struct, frozen=True, gc=False):
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
    platform, account_id = ref
    life_mode, event, mode = change.life_mode, draft.event, draft.mode
    life = account.life(life_mode)
    cycle = life.cycle
    assert cycle is not None, draft
    counted_ordinal = next_ordinal(cycle, event, draft.surface)
    ordinal = counted_ordinal if draft.ordinal is None else draft.ordinal
    event_id = ids.derive(
        platform, account_id, life_mode, life.cycle_number, event, draft.surface or "", ordinal
    )
    counted = life if mode is life_mode else account.life(mode)
    counted.sequence += 1
    decided_at = rfc3339(context.now)
    policy, terms = context.policy, cycle.terms
    value = {
        "event_id": event_id,
        "event": event,
        "sequence": counted.sequence,
        "platform": platform,
        "account_id": account_id,
        "cycle": life.cycle_number,
        "invitation_id": life.invitation_id(ref, life_mode),
        "mode": mode,
        "policy_version": policy.version if policy else terms.policy_version,
        "policy_digest": policy.digest if policy else terms.policy_digest,
        "decided_at": decided_at,
        "reason": draft.reason,
        **draft.data,
    }
    headers = (
        _SPEC_VERSION,
        ("ce_id", event_id.encode()),
        _source(platform),
        _TYPES[event],
        _time(decided_at),
        ("ce_subject", account_id.encode()),
        _CONTENT_TYPE,
    )
    prefix = "shadow." if mode is Mode.SHADOW else ""
    topic = prefix + EVENT_TOPIC[event]
    return PublishedEvent(topic, _encode(value), headers, event_id, counted.sequence, draft)
