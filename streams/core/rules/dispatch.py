"""Passes an account change, receipt, answer or control to the module that decides about it."""

from schemas.enums import Change, Ground, Ignored
from streams.core.inputs.decode import (
    DecodedAccountChange,
    DecodedConsentAnswer,
    DecodedControl,
    DecodedNoticeReceipt,
    Value,
)
from streams.core.inputs.heard import StatedWord, word_of
from streams.core.lifecycle import Input
from streams.core.model.account import Account
from streams.core.model.instants import milliseconds
from streams.core.rules import unclear
from streams.core.rules.answers import decide_answer
from streams.core.rules.context import DecisionContext
from streams.core.rules.controls import decide_control
from streams.core.rules.facts import read_change
from streams.core.rules.invitation import (
    Decided,
    decide_departure,
    decide_past,
)
from streams.core.rules.lateness import note_overdue
from streams.core.rules.receipts import decide_receipt

_DEPARTURES = {
    Change.CLOSED: (Input.CLOSED, Ground.CLOSED),
    Change.OWNER_CHANGED: (Input.OWNER_CHANGED, Ground.OWNER_CHANGED),
}


def stated_time(
    value: DecodedNoticeReceipt | DecodedConsentAnswer | DecodedControl | DecodedAccountChange,
    entry: int,
) -> StatedWord:
    """Returns the times of an input: the time that it states, limited by its entry.

    `entry`: when the record was appended to Kafka, in milliseconds UTC.
    """
    if isinstance(value, DecodedNoticeReceipt | DecodedConsentAnswer):
        return word_of(value.occurred_ms, entry)
    stated = value.issued_at if isinstance(value, DecodedControl) else value.observed_at
    return word_of(milliseconds(stated), entry)


def decide_input(
    account: Account, context: DecisionContext, value: Value | None, word: StatedWord
) -> Decided:
    """Decides what a receipt, an answer, a control or an account change changes.

    Returns the changes in order, or why the input does not count.
    """
    note_overdue(account, context, word.entry)
    if isinstance(value, DecodedNoticeReceipt):
        return decide_receipt(account, context, value, word)
    if isinstance(value, DecodedConsentAnswer):
        return decide_answer(account, context, value, word)
    if isinstance(value, DecodedControl):
        return decide_control(account, context, value, word)
    assert isinstance(value, DecodedAccountChange)
    return _change(account, context, value.change, read_change(account, value, word), word)


def _change(
    account: Account,
    context: DecisionContext,
    change: Change,
    late: Ignored | None,
    word: StatedWord,
) -> Decided:
    """Decides what an account change changes. `late`: why it does not count, None if it does.

    A stale closing, exemption or change of owner still ends a cycle that had begun by then.
    """
    if late is Ignored.STALE:
        if change is Change.EXEMPTED:
            return decide_past(account, context, Input.GONE, Ground.EXEMPTED, word.at)
        if change in _DEPARTURES:
            return decide_past(account, context, *_DEPARTURES[change], word.at)
    if late is not None:
        return late
    unclear.applied(account, "account-changes", word)
    if change in _DEPARTURES:
        return decide_departure(account, context, *_DEPARTURES[change])
    return []
