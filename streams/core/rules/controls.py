"""Decides what an operator's control changes: holds, lifts, extensions, reissues, appeals.

schemas/CONTRACT.md, "Controls and appeals". `word` holds the times of the control
(inputs/heard.py). A stop is a period in which the owner's answer window stands still.
"""

from schemas.enums import Command, ControlReason, Ground, Ignored, Mode
from streams.core.inputs.decode import DecodedControl
from streams.core.inputs.heard import StatedWord, heard_of, unhold_word
from streams.core.lifecycle import OPEN, Input, Invitation, row_of
from streams.core.model import marks
from streams.core.model.account import MOST_CONTROLS, UNKNOWN_CONTENT, Account, Appeal
from streams.core.model.ids import content_mark, control_mark
from streams.core.model.instants import milliseconds
from streams.core.rules import unclear
from streams.core.rules.context import DecisionContext
from streams.core.rules.facts import begin_hold, drop_expired_hold, end_mark, end_stop
from streams.core.rules.invitation import LIVES, Decided, cancelled, ending, extend, row_change
from streams.core.rules.lateness import note_settled
from streams.core.rules.throttle import release_all

MOST_APPEALS = 16
"""How many appeals of an account may be open at once. A further one is an unclear word."""

_CONTENT, _ID, _WIDTH = 1, 2, 24
"""Indexes of the two digests of a remembered control, and the length of its entry (marks.py)."""

_PROTECTING = frozenset(
    {Command.HOLD, Command.LIFT, Command.EXTEND, Command.APPEAL_OPENED, Command.APPEAL_UPHELD}
)
_NOT_APPLIED = frozenset(
    {
        Ignored.REPEAT,
        Ignored.STALE,
        Ignored.OTHER_APPEAL,
        Ignored.NO_UNTIL,
        Ignored.NOT_LATER,
        Ignored.UNCLEAR,
    }
)


def decide_control(
    account: Account, context: DecisionContext, control: DecodedControl, word: StatedWord
) -> Decided:
    """Decides what a control changes; nothing if a control with the same content is remembered.

    An applied control also ends the effect of unreadable controls that entered before it.
    """
    if known_control(account, control, word):
        return Ignored.REPEAT
    decided = _decide(account, context, control, word)
    counts = isinstance(decided, list) or decided not in _NOT_APPLIED
    if counts and control.command is not Command.SETTLE:
        unclear.applied(account, "controls", word)
    return decided


def known_control(account: Account, control: DecodedControl, word: StatedWord) -> bool:
    """Whether a control was seen before. If not, remembers it.

    Of a control of the first edition only the id is known. A control with the same id is then a
    repeat, unless it is a protecting one.
    """
    heard = heard_of(account)
    content, mark = _content(control), control_mark(control.control_id)
    if marks.entries(heard.controls, _CONTENT, content, _WIDTH):
        return True
    if control.command not in _PROTECTING:
        for at in marks.entries(heard.controls, _ID, mark, _WIDTH):
            if marks.number(heard.controls, at, _CONTENT) == UNKNOWN_CONTENT:
                return True
    heard.controls = marks.remember(heard.controls, word.at, (content, mark), MOST_CONTROLS)
    return False


def _content(control: DecodedControl) -> int:
    """Returns a digest of every field except the account's; the zone of a time does not matter."""
    times = (control.issued_at, control.expires_at, control.until)
    return content_mark(
        control.control_id,
        control.command,
        control.actor,
        control.approved_by,
        control.bulk_id,
        control.appeal_id,
        control.reason,
        *(time and time.timestamp() for time in times),
    )


def reused_id(account: Account, control: DecodedControl) -> bool:
    """Whether more than one remembered control has the id of this one."""
    mark = control_mark(control.control_id)
    return len(marks.entries(heard_of(account).controls, _ID, mark, _WIDTH)) > 1


def _decide(
    account: Account, context: DecisionContext, control: DecodedControl, word: StatedWord
) -> Decided:
    command = control.command
    if command is Command.HOLD:
        return _hold(account, control, word)
    if command is Command.UNHOLD:
        return _unhold(account, control, word)
    if command is Command.SETTLE:
        settled = unclear.settle(account, word)
        note_settled(account, context, word)
        return settled
    if command is Command.APPEAL_OPENED:
        return _open_appeal(account, control, word)
    if command is Command.APPEAL_REJECTED:
        return _reject(account, control, word)
    return _rows(account, context, control, word)


def _hold(account: Account, control: DecodedControl, word: StatedWord) -> Ignored:
    heard = heard_of(account)
    until = None if control.expires_at is None else milliseconds(control.expires_at)
    drop_expired_hold(account, word.at)
    account.hold = begin_hold(account.hold, word.at, until)
    heard.held_at = max(word.at, heard.held_at or word.at)
    return Ignored.RECORDED


def _unhold(account: Account, control: DecodedControl, word: StatedWord) -> Ignored:
    """Ends the hold. With the reason `appeal` it ends instead the effect of an upheld appeal."""
    heard = heard_of(account)
    if control.reason is ControlReason.APPEAL:
        end_mark(heard, word.at)
        return Ignored.RECORDED
    late = unhold_word(account, word)
    if late is not None:
        return late
    hold, account.hold = account.hold, None
    if hold is not None:
        ends_at = word.until if hold.expires_at is None else min(word.until, hold.expires_at)
        end_stop(account, hold.since, ends_at)
    return Ignored.RECORDED


def _open_appeal(account: Account, control: DecodedControl, word: StatedWord) -> Ignored:
    appeals = heard_of(account).appeals
    name = control.appeal_id or ""
    known = appeals.get(name)
    if known is None and len(appeals) >= MOST_APPEALS:
        unclear.unclear_word(account, unclear.APPEALS, word.entry, word.at)
        return Ignored.UNCLEAR
    if known is None:
        known = Appeal(word.at, word.at)
    appeals[name] = Appeal(min(known.since, word.at), max(known.opened_at, word.at))
    return Ignored.RECORDED


def _reject(account: Account, control: DecodedControl, word: StatedWord) -> Ignored:
    appeals = heard_of(account).appeals
    name = control.appeal_id or ""
    if name not in appeals:
        return Ignored.OTHER_APPEAL
    if word.at < appeals[name].opened_at:
        return Ignored.STALE
    end_stop(account, appeals.pop(name).since, word.until)
    return Ignored.RECORDED


def _rows(
    account: Account, context: DecisionContext, control: DecodedControl, word: StatedWord
) -> Decided:
    mode = active_mode(account)
    life = account.life(mode)
    if control.command is Command.EXTEND:
        if control.until is None:
            return Ignored.NO_UNTIL
        return extend(life, mode, milliseconds(control.until), word.at)
    if control.command is Command.REISSUE:
        return _reissue(account, mode, word)
    if control.command is Command.LIFT:
        return _lift(account, context, mode, Input.LIFT, Ground.OPERATOR)
    _uphold(account, control, word)
    return _lift(account, context, mode, Input.APPEAL_UPHELD, Ground.APPEAL)


def _uphold(account: Account, control: DecodedControl, word: StatedWord) -> None:
    """Ends an upheld appeal, and keeps its effect: no new cycle begins."""
    heard = heard_of(account)
    appeal = heard.appeals.pop(control.appeal_id or "", None)
    if appeal is not None:
        end_stop(account, appeal.since, word.until)
    if heard.freed_at is None or heard.freed_at <= word.at:
        heard.upheld_at = max(word.at, heard.upheld_at or word.at)


def _reissue(account: Account, mode: Mode, word: StatedWord) -> Ignored:
    """Marks the cycle for a reissue of its notice, as soon as its state allows it."""
    life = account.life(mode)
    cycle = life.cycle
    if cycle is None or life.state not in OPEN:
        return Ignored.RECORDED
    if word.at < cycle.issued_at:
        return Ignored.STALE
    cycle.reissue_wanted = True
    return Ignored.WAITS if row_of(life.state, Input.REISSUE) is None else Ignored.RECORDED


def _lift(
    account: Account, context: DecisionContext, mode: Mode, input_: Input, reason: Ground
) -> Decided:
    life = account.life(mode)
    row = row_of(life.state, input_)
    if row is None:
        return Ignored.RECORDED
    if row.next_state is Invitation.NONE:
        return ending(life, mode, context, input_, reason, cancelled(mode, reason))
    spare = row_change(life, mode, input_, sets_cycle={"restriction_waived": True})
    return [spare, *release_all(life, mode, context, reason)]


def active_mode(account: Account) -> Mode:
    """Returns the mode that a control concerns: live, unless only the shadow life has a cycle."""
    for mode in LIVES:
        if account.life(mode).state is not Invitation.NONE:
            return mode
    return Mode.ENFORCE
