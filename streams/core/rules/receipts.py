"""Decides what a receipt of the notifier changes: the owner's notice was delivered, or failed.

schemas/CONTRACT.md, "Answers, receipts, unclear words". `word` holds the times of the receipt
(inputs/heard.py).
"""

from schemas.enums import Event, Ground, Ignored, Mode, Outcome
from streams.core.inputs.decode import DecodedNoticeReceipt
from streams.core.inputs.entry import SKEW
from streams.core.inputs.heard import StatedWord
from streams.core.lifecycle import Input, Invitation, row_of
from streams.core.model import ids, marks
from streams.core.model.account import Account, Cycle
from streams.core.model.change import EventDraft
from streams.core.rules.context import DecisionContext
from streams.core.rules.invitation import Decided, delivery, row_change
from streams.core.rules.lateness import note_earlier_delivery, over_in_silence
from streams.core.rules.throttle import is_over, release_all

MOST_RECEIPTS = 100
"""How many receipts of a cycle are remembered: those with the latest times."""

_WIDTH = 16
"""The length in bytes of the entry of a remembered receipt (marks.py)."""


def decide_receipt(
    account: Account, context: DecisionContext, receipt: DecodedNoticeReceipt, word: StatedWord
) -> Decided:
    """Decides what a receipt changes in the live cycle. Shadow notices are never sent."""
    life = account.live
    cycle = life.cycle
    if cycle is None:
        return Ignored.NO_CYCLE
    expected = life.invitation_id(context.ref, Mode.ENFORCE)
    if receipt.invitation_id != expected:
        return Ignored.OTHER_CYCLE
    # A receipt without effect is remembered too: its repeat might have one in a later state.
    if not _first_told(cycle, receipt, word):
        return Ignored.REPEAT
    if receipt.outcome is Outcome.DELIVERED:
        return _delivered(account, cycle, context, word)
    return _failed(account, cycle, context, receipt, word)


def _first_told(cycle: Cycle, receipt: DecodedNoticeReceipt, word: StatedWord) -> bool:
    """Remembers a receipt. Returns False if one with the same content is remembered already."""
    mark = ids.content_mark(word.stated, receipt.outcome, receipt.failure)
    known = (receipt.occurred_ms, str(receipt.outcome)) in cycle.receipt_keys
    if known or marks.entries(cycle.receipts, 1, mark, _WIDTH):
        return False
    cycle.receipts = marks.remember(cycle.receipts, word.at, (mark,), MOST_RECEIPTS)
    return True


def _delivered(
    account: Account, cycle: Cycle, context: DecisionContext, word: StatedWord
) -> Decided:
    """Decides for a receipt `delivered`. It is stale if a failure is known that is not older."""
    life = account.live
    if row_of(life.state, Input.RECEIPT_DELIVERED) is None:
        if life.state is Invitation.DECLINED:
            note_earlier_delivery(account, cycle, context, word.at, word.entry)
        return Ignored.RECORDED
    if cycle.failed_at is not None and word.at <= cycle.failed_at:
        return Ignored.STALE
    draft, effects = delivery(cycle, Mode.ENFORCE, context, word.at, Ground.RECEIPT)
    effects["delivery_entry"] = word.entry
    return [row_change(life, Mode.ENFORCE, Input.RECEIPT_DELIVERED, draft, sets_cycle=effects)]


def _failed(
    account: Account,
    cycle: Cycle,
    context: DecisionContext,
    receipt: DecodedNoticeReceipt,
    word: StatedWord,
) -> Decided:
    """Decides for a receipt `failed`.

    It also cancels an earlier delivery, and an expiry without an answer. One that entered after the
    expired cycle had ended by time changes nothing: that end, and the expiry, may not have acted.
    """
    life = account.live
    if is_over(life, context.policy, word.entry) or over_in_silence(account, context, word.entry):
        return Ignored.RECORDED
    if life.state is Invitation.UNDELIVERED:
        cycle.failed_at = max(word.at, cycle.failed_at or word.at)
    row = row_of(life.state, Input.RECEIPT_FAILED)
    if row is None or (life.state is Invitation.EXPIRED and has_answered(cycle)):
        return Ignored.RECORDED
    if life.state is not Invitation.INVITED:
        delivery_at = cycle.delivered_at if cycle.delivery_at is None else cycle.delivery_at
        if cycle.failed_at is not None and word.at <= cycle.failed_at:
            return Ignored.STALE
        if word.at < (delivery_at or 0) - SKEW:
            return Ignored.BEFORE_DELIVERY
    draft = EventDraft(
        Event.INVITATION_UNDELIVERABLE, Ground(receipt.failure or Ground.OTHER), Mode.ENFORCE, {}
    )
    failed_at = max(word.at, cycle.failed_at or word.at)
    waits = cycle.extend_waits or 0
    effects = {
        "failed_at": failed_at,
        "delivered_at": None,
        "delivery_at": None,
        "extended_to": max(waits, cycle.extended_to or 0) or None,
        "extend_waits": None,
        "bounced": _bounced(cycle, word.entry),
    }
    change = row_change(life, Mode.ENFORCE, Input.RECEIPT_FAILED, draft, sets_cycle=effects)
    if row.lifts:
        return [change, *release_all(life, Mode.ENFORCE, context, Ground.UNDELIVERABLE)]
    return [change]


def _bounced(cycle: Cycle, entry: int) -> tuple[int, int] | None:
    """Returns the latest entry of a failure of the cycle, and the earliest deadline that ended."""
    if cycle.deadline_at is None:
        return None
    known_entry, known_deadline = cycle.bounced or (entry, cycle.deadline_at)
    return max(entry, known_entry), min(cycle.deadline_at, known_deadline)


def has_answered(cycle: Cycle) -> bool:
    """Whether a grant or refusal of the cycle was applied, even without a transition."""
    return cycle.answered_by is not None or cycle.answered_at is not None
