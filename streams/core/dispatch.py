"""An input about an account, and which part of the core says what it means."""

from schemas.words import Change
from streams.core.account import Account
from streams.core.answers import decide_answer
from streams.core.controls import decide_control
from streams.core.decode import AccountChange, ConsentAnswer, Control, NoticeReceipt, Value
from streams.core.facts import read_change
from streams.core.ids import control_mark
from streams.core.invitation import Decided, decide_departure, decide_receipt
from streams.core.lifecycle import Input
from streams.core.moment import Moment


def decide_input(account: Account, moment: Moment, value: Value | None) -> Decided:
    """What a receipt, an answer, a control or an account change does now."""
    if isinstance(value, NoticeReceipt):
        return decide_receipt(account, moment, value)
    if isinstance(value, ConsentAnswer):
        return decide_answer(account, moment, value)
    if isinstance(value, Control):
        mark = control_mark(value.control_id)
        if mark in account.controls:
            return "duplicate"
        account.controls = (*account.controls, mark)
        return decide_control(account, moment, value)
    assert isinstance(value, AccountChange)
    word = read_change(account, value)
    if word is not None:
        return word
    if value.change is Change.CLOSED:
        return decide_departure(account, moment, Input.CLOSED, "closed")
    if value.change is Change.OWNER_CHANGED:
        return decide_departure(account, moment, Input.OWNER_CHANGED, "owner_changed")
    return []
