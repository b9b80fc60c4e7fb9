"""Whether a refusal came too late: then it restricts only where silence does too.

A worker without delay may have expired the invitation before the refusal entered. A late worker
reads both at once, and must not take that silence for a refusal (throttle.grounds). Likewise a
receipt `failed` that entered after the end of the cycle must not open it again. Instants are
milliseconds UTC; an input *enters* when its record is appended to Kafka.
"""

from collections.abc import Mapping
from typing import Any

from schemas.enums import Ground, Mode
from streams.core.inputs.heard import StatedWord
from streams.core.lifecycle import Invitation
from streams.core.model.account import Account, Cycle, Unclear
from streams.core.model.instants import Reckoning, Stop, reckon
from streams.core.rules.context import DecisionContext
from streams.core.rules.invitation import base_deadline, clock_stops, reckon_as_heard
from streams.core.rules.throttle import restrictable, silence_lasts

_SILENT = (Invitation.DELIVERED, Invitation.EXPIRED)


def refused_too_late(
    account: Account,
    cycle: Cycle,
    context: DecisionContext,
    word: StatedWord,
    delivered: Mapping[str, Any],
) -> bool:
    """Whether a refusal entered after the end of its window.

    `delivered`: what the refusal sets on the cycle because it proves the delivery; empty if a
    receipt had proved it.
    """
    entry = word.entry
    # Overdue was the window of a delivery that has failed since: the refusal gives another one.
    if (cycle.overdue and not delivered) or _entered_late(account, cycle, context, entry):
        return True
    if _read_out_of_place(account, cycle, context, word.at, entry):
        return True
    if delivered and entry > (delivered["deadline_at"] or entry):
        return True
    delivered_at = delivered.get("delivered_at", cycle.delivered_at)
    return delivered_at is not None and _entered_after_terms(
        account, cycle, context, delivered_at, entry
    )


def _entered_late(account: Account, cycle: Cycle, context: DecisionContext, entry: int) -> bool:
    """Whether an input entered after the last communicated deadline, with the clock not stopped."""
    if cycle.deadline_at is None or entry <= cycle.deadline_at:
        return False
    if account.live.state in (Invitation.INVITED, Invitation.UNDELIVERED):
        return False  # No deadline is running: another delivery gives a new window.
    return not _as_heard(account, cycle, context, cycle.deadline_at, entry).stopped


def _as_heard(
    account: Account, cycle: Cycle, context: DecisionContext, told: int, entry: int
) -> Reckoning:
    """Reckons the deadline as a worker without delay did when an input with this entry came.

    `told`: the deadline that was communicated last.
    """
    counted_from, ended = cycle.clock_from or cycle.issued_at, None
    if cycle.unclear is not None and _settled_before(cycle, cycle.unclear, entry):
        ended = (cycle.unclear.since, None)
    base = cycle.clock_base or told
    return reckon_as_heard(account, cycle, context, base, counted_from, told, ended)


def over_in_silence(account: Account, context: DecisionContext, entry: int) -> bool:
    """Whether a worker without delay had ended the live cycle before an input entered.

    Silence restricts nothing in it, so that it was over some time after its deadline
    (throttle.cycle_ends_at). This worker has not expired it yet, or did so late. While it has not,
    the terms alone must say that, for a stricter policy may come before it does.
    """
    life, policy = account.live, context.policy
    cycle = life.cycle
    if cycle is None or policy is None or life.state not in _SILENT or cycle.restriction_waived:
        return False
    told, lasts = cycle.deadline_at, silence_lasts(cycle, policy)
    if told is None or lasts is None or entry <= told + lasts:
        return False
    if cycle.throttles or restrictable(cycle, policy, Mode.ENFORCE):
        return False
    if life.state is Invitation.DELIVERED and Ground.NO_ANSWER in cycle.terms.on:
        return False
    heard = _as_heard(account, cycle, context, told, entry)
    return not heard.stopped and entry > max(heard.deadline, told) + lasts


def note_overdue(account: Account, context: DecisionContext, entry: int) -> None:
    """Notes on the cycle that an input entered after the deadline, before the expiry was decided.

    A worker without delay would have expired the invitation without an answer by then. If the input
    moves the deadline (an extension, a hold), a later refusal must not count as one in time.
    """
    cycle = account.live.cycle
    if cycle is None or account.live.state is not Invitation.DELIVERED:
        return
    if _entered_late(account, cycle, context, entry):
        cycle.overdue = True


def note_earlier_delivery(
    account: Account, cycle: Cycle, context: DecisionContext, occurred_at: int, entry: int
) -> None:
    """Notes on the cycle that the refusal entered too late for a delivery known only now.

    The receipt of that delivery entered before the refusal and gives an earlier deadline. A worker
    without delay would have expired the invitation without an answer by then, so the refusal counts
    as late.
    """
    delivered_at = max(occurred_at, cycle.issued_at)
    answered = cycle.declined_entry
    if answered is None and cycle.answered_by is not None:
        answered, _ = cycle.answered_by  # The state is of a version that did not keep it.
    if answered is None or delivered_at >= (cycle.delivered_at or 0):
        return
    if entry < answered and _entered_after(account, cycle, context, delivered_at, answered):
        cycle.declined_late = True


def note_settled(account: Account, context: DecisionContext, word: StatedWord) -> None:
    """Keeps when a `settle` entered; notes on the cycle whether a refusal read before it was late.

    Controls are read after answers. If the refusal entered later, a worker without delay would have
    ended the unclear word, and so the stop of the clock, before it. While something else stops the
    clock that cannot be told, and the refusal counts as late.
    """
    cycle = account.live.cycle
    if cycle is None:
        return
    if cycle.settled is None or word.entry >= cycle.settled[0]:
        cycle.settled = (word.entry, word.at)
    declined, base, since = cycle.declined_entry, cycle.clock_base, cycle.clock_from
    if account.live.state is not Invitation.DECLINED or base is None or since is None:
        return
    if declined is None or word.entry >= declined:
        return
    stops = clock_stops(account, cycle, context)
    shorter = [_ended_by(stop, word, declined) for stop in stops]
    reckoned = reckon(base, since, shorter)
    if shorter != stops and (reckoned.stopped or declined > reckoned.deadline):
        cycle.declined_late = True


def _ended_by(stop: Stop, word: StatedWord, declined: int) -> Stop:
    """Returns a stop that the refusal seems to have ended as if the earlier word had ended it."""
    since, until = stop
    if until is None or since > word.at or until < declined:
        return stop
    return since, min(until, word.until)


def _settled_before(cycle: Cycle, unclear: Unclear, entry: int) -> bool:
    """Whether a `settle` that was read before the unclear answers ends them for a later entry."""
    if cycle.settled is None:
        return False
    settled, at = cycle.settled
    return unclear.entry <= settled < entry and unclear.newest <= at


def _entered_after_terms(
    account: Account, cycle: Cycle, context: DecisionContext, delivered_at: int, entry: int
) -> bool:
    """Whether an answer entered after the terms' deadline, but the present policy gives more time.

    By the terms alone the invitation would have expired without an answer. A policy that gives more
    time must not turn that silence into a refusal.
    """
    present = base_deadline(cycle, context.policy, delivered_at)
    if present == base_deadline(cycle, None, delivered_at):
        return False
    return _entered_after(account, cycle, context, delivered_at, entry)


def _read_out_of_place(
    account: Account, cycle: Cycle, context: DecisionContext, at: int, entry: int
) -> bool:
    """Whether a refusal entered before receipts that were read first, and too late for its window.

    A worker without delay would have read it in its place: under the delivery that later bounced,
    or before any. `at`: the time that the refusal states. Milliseconds UTC.
    """
    if cycle.bounced is not None and entry < cycle.bounced[0]:
        return entry > cycle.bounced[1]
    if cycle.delivery_entry is not None and entry < cycle.delivery_entry:
        return _entered_after(account, cycle, context, max(at, cycle.issued_at), entry)
    return False


def _entered_after(
    account: Account, cycle: Cycle, context: DecisionContext, delivered_at: int, entry: int
) -> bool:
    """Whether an input entered after the deadline that the terms give for a delivery."""
    base = base_deadline(cycle, None, delivered_at)
    if base is None:
        return False
    base = max(base, cycle.extended_to or 0)
    reckoned = reckon_as_heard(account, cycle, context, base, delivered_at)
    return not reckoned.stopped and entry > reckoned.deadline
