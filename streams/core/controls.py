"""An operator's word on one account: holds, lifts, extensions, reissues, appeals."""

from schemas.words import Command, Mode
from streams.core.account import Account, Hold
from streams.core.change import Change
from streams.core.clock import milliseconds
from streams.core.decode import Control
from streams.core.facts import begin_hold, drop_expired_hold, end_stop
from streams.core.invitation import LIVES, Decided, cancelled, ending, extend, row_change
from streams.core.lifecycle import Input, Invitation, row_of
from streams.core.moment import Moment
from streams.core.throttle import release_all


def decide_control(account: Account, moment: Moment, control: Control) -> Decided:
    """What a control does now; holds and appeals are written down, the rest are rows."""
    issued_at = milliseconds(control.issued_at)
    command = control.command
    if command is Command.HOLD:
        until = None if control.expires_at is None else milliseconds(control.expires_at)
        drop_expired_hold(account, issued_at)
        account.hold = begin_hold(account.hold, issued_at, until)
        return "recorded"
    if command is Command.APPEAL_OPENED:
        account.appeal = begin_hold(account.appeal, issued_at, None)
        return "recorded"
    if command is Command.UNHOLD:
        _end(account, account.hold, issued_at)
        account.hold = None
        return "recorded"
    if command in (Command.APPEAL_UPHELD, Command.APPEAL_REJECTED):
        _end(account, account.appeal, issued_at)
        account.appeal = None
    return _rows(account, moment, control, issued_at)


def _end(account: Account, hold: Hold | None, at: int) -> None:
    if hold is not None:
        ends_at = at if hold.expires_at is None else min(at, hold.expires_at)
        end_stop(account, hold.since, ends_at)


def _rows(account: Account, moment: Moment, control: Control, issued_at: int) -> Decided:
    mode = active_mode(account)
    life = account.life(mode)
    command = control.command
    if command is Command.EXTEND:
        if control.until is None:
            return "no_until"
        return extend(life, mode, milliseconds(control.until), issued_at)
    if command is Command.REISSUE:
        if row_of(life.state, Input.REISSUE) is None or life.cycle is None:
            return "recorded"
        life.cycle.reissue_wanted = True
        return "recorded"
    if command is Command.LIFT:
        return _lift(account, moment, mode, Input.LIFT, "operator")
    if command is Command.APPEAL_UPHELD:
        return _lift(account, moment, mode, Input.APPEAL_UPHELD, "appeal")
    return "recorded"


def _lift(
    account: Account, moment: Moment, mode: Mode, input_: Input, reason: str
) -> list[Change] | str:
    life = account.life(mode)
    row = row_of(life.state, input_)
    if row is None:
        return "recorded"
    if row.next_state is Invitation.NONE:
        return ending(life, mode, moment, input_, reason, cancelled(mode, reason))
    spare = row_change(life, mode, input_, sets_cycle={"spared": True})
    return [spare, *release_all(life, mode, moment, reason)]


def active_mode(account: Account) -> Mode:
    """The mode of the life that an account leads now: the live one unless only the shadow one
    goes.
    """
    for mode in LIVES:
        if account.life(mode).state is not Invitation.NONE:
            return mode
    return Mode.ENFORCE
