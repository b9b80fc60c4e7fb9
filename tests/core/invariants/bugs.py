"""Plausible mistakes, at least one for each invariant, each in one function of the core.

`planted` puts one in for the length of a test; its property has to find it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from msgspec.structs import replace

from schemas.enums import Ground, Ignored, Outcome
from streams.core.log.decisions import DecisionLog
from streams.core.model.account import Cycle
from streams.core.model.instants import Reckoning
from streams.core.rules import answers, applicable_phase, decide, facts, receipts, throttle

Function = Callable[..., Any]


class Bug(NamedTuple):
    """A mistake: which invariant it breaks, what it does, and in which places it sits."""

    number: int
    what: str
    places: dict[str, Any]


def _sent_is_delivered(right: Function) -> Function:
    def decide_receipt(account: Any, context: Any, receipt: Any, word: Any) -> Any:
        return right(account, context, _Delivered(receipt), word)

    return decide_receipt


class _Delivered:
    """A receipt that reads as delivered, whatever it says."""

    def __init__(self, receipt: Any) -> None:
        self.invitation_id, self.occurred_ms = receipt.invitation_id, receipt.occurred_ms
        self.outcome, self.failure = Outcome.DELIVERED, None


def _stops_forgotten(base: int, counted_from: int, stops: Any) -> Reckoning:
    return Reckoning(base, stopped=False)


def _silence_refuses(right: Function) -> Function:
    def expire(account: Any, context: Any, mode: Any) -> Any:
        first, *others = right(account, context, mode)
        draft = replace(first.drafts[0], reason="declined")
        return [replace(first, drafts=(draft,)), *others]

    return expire


def _braked(right: Function) -> Function:
    def decide_answer(account: Any, context: Any, answer: Any, word: Any) -> Any:
        if context.switches.stopping(context.ref.platform, "invitation.issued"):
            return Ignored.WAITS
        return right(account, context, answer, word)

    return decide_answer


def _exempt_only_at_issue(right: Function) -> Function:
    def failing(account: Any, context: Any, place: Any) -> str | None:
        reason = right(account, context, place)
        return None if reason == "exempted" and account.live.cycle else reason

    return failing


def _late_is_too_late(right: Function) -> Function:
    def decide_answer(account: Any, context: Any, answer: Any, word: Any) -> Any:
        cycle = account.live.cycle
        if cycle and cycle.deadline_at and answer.occurred_ms > cycle.deadline_at:
            return Ignored.STALE
        return right(account, context, answer, word)

    return decide_answer


def _all_present_surfaces(right: Function) -> Function:
    def restrictable(cycle: Any, policy: Any, life_mode: Any) -> Any:
        allowed = right(cycle, policy, life_mode)
        if not allowed:
            return allowed
        return {
            surface: (restriction.level, policy.surface_mode(restriction, life_mode))
            for surface, restriction in policy.consequence.surfaces.items()
            if policy.surface_mode(restriction, life_mode) != "off"
        }

    return restrictable


def _freed_stays_at_stake(right: Function) -> Function:
    def decide_release(*arguments: Any) -> Any:
        return [replace(change, cycle={}) for change in right(*arguments)]

    return decide_release


def _first_surface_only(right: Function) -> Function:
    def release_all(*arguments: Any) -> Any:
        return right(*arguments)[:1]

    return release_all


def _all_labels_are_known(right: Function) -> Function:
    def new_label(known: Any, change: Any, *more: Any) -> Any:
        label = right(known, change, *more)
        if label is not None:
            label.text = change.category
        return label

    return new_label


def _present_window(cycle: Any, policy: Any, delivered_at: int) -> int | None:
    window = policy.notice.answer_window if policy else cycle.terms.answer_window
    return None if window is None else delivered_at + window


def _platform_only(switches: Any, platform: str, switch: Any) -> Any:
    name = f"{platform}:{switch}"
    return [switches.levers[name]] if name in switches.levers else []


def _never_closed(limits: Any, platform: str, now: int) -> None:
    return None


def _timers_unlogged(right: Function) -> Function:
    def decision(
        decisions: Any, transaction: Any, account: Any, context: Any, cause: Any, *rest: Any
    ) -> None:
        if "timer" not in cause:
            right(decisions, transaction, account, context, cause, *rest)

    return decision


def _appeal_is_paper(right: Function) -> Function:
    def deferrals(*arguments: Any) -> list[str]:
        return [by for by in right(*arguments) if by != "appeal"]

    return deferrals


_INVITATION, _DISPATCH = "streams.core.rules.invitation.", "streams.core.rules.dispatch."
_exempt = _exempt_only_at_issue(applicable_phase.failing)
_restrictable = _all_present_surfaces(throttle.restrictable)
_first_only = _first_surface_only(throttle.release_all)
_deferrals = _appeal_is_paper(applicable_phase.deferrals)

BUGS: tuple[Bug, ...] = (
    Bug(
        1,
        "a receipt that says failed counts as delivered",
        {_DISPATCH + "decide_receipt": _sent_is_delivered(receipts.decide_receipt)},
    ),
    Bug(2, "pauses do not move the deadline", {_INVITATION + "reckon": _stops_forgotten}),
    Bug(
        3,
        "silence is published as a refusal",
        {"streams.core.rules.decide._expire": _silence_refuses(decide._expire)},
    ),
    Bug(
        4,
        "the kill switch stops the owner's answers too",
        {_DISPATCH + "decide_answer": _braked(answers.decide_answer)},
    ),
    Bug(
        5,
        "exemption is looked at before an invitation only",
        {
            "streams.core.rules.eligibility.failing": _exempt,
            "streams.core.rules.decide.failing": _exempt,
        },
    ),
    Bug(
        6,
        "the text of an unknown label is kept",
        {"streams.core.state.reading.new_label": _all_labels_are_known(facts.new_label)},
    ),
    Bug(
        7,
        "ids forget which one of its kind an event is",
        {"streams.core.log.events.next_ordinal": lambda cycle, event, surface: 1},
    ),
    Bug(
        8,
        "an answer that occurred after the deadline is dropped",
        {_DISPATCH + "decide_answer": _late_is_too_late(answers.decide_answer)},
    ),
    Bug(
        9,
        "all surfaces of the present policy are restricted",
        {"streams.core.rules.throttle.restrictable": _restrictable},
    ),
    Bug(
        10,
        "only the first surface is freed",
        {
            _INVITATION + "release_all": _first_only,
            "streams.core.rules.controls.release_all": _first_only,
        },
    ),
    Bug(
        11,
        "the present window counts, not the promised one",
        {_INVITATION + "base_deadline": _present_window},
    ),
    Bug(
        12,
        "a correction opens a dwell",
        {"streams.core.rules.facts.OPENING": frozenset({*facts.OPENING, "correction"})},
    ),
    Bug(
        13,
        "switches for all platforms are overlooked",
        {"streams.core.limits.switches.Switches._of": _platform_only},
    ),
    Bug(
        13,
        "a closed guard holds nothing back",
        {"streams.core.limits.partition_limits.PartitionLimits.guard_tripped_until": _never_closed},
    ),
    Bug(
        13,
        "an unclear word holds nothing back",
        {"streams.core.rules.applicable_phase.is_unclear": lambda account: False},
    ),
    Bug(
        13,
        "a tripped refusal guard holds nothing back",
        {"streams.core.limits.settling.Settling.is_open": lambda settling, platform: False},
    ),
    Bug(
        14,
        "what timers do is not logged",
        {"streams.core.log.decisions.DecisionLog.decision": _timers_unlogged(DecisionLog.decision)},
    ),
    Bug(15, "an open appeal stops nothing", {"streams.core.rules.agenda.deferrals": _deferrals}),
)


def _grounds_as_heard(cycle: Cycle) -> frozenset[Ground]:
    if cycle.answered_at is None:
        return frozenset({Ground.NO_ANSWER})
    late = [Ground.NO_ANSWER] * cycle.declined_late
    return frozenset({Ground.DECLINED, *late})


LATE_BUG = Bug(
    13,
    "a late worker knows of a refusal that a punctual one had not heard at the deadline",
    {
        "streams.core.rules.lateness._entered_late": lambda *_: False,
        "streams.core.rules.throttle.grounds": _grounds_as_heard,
    },
)
POLICY_BUG = Bug(
    11,
    "all surfaces of the present policy are restricted, not those of the terms",
    {"streams.core.rules.throttle.restrictable": _restrictable},
)
"""What the two properties over pairs of runs (pairs.py) have to find."""
FREED_BUG = Bug(
    9,
    "a surface that a milder policy freed is restricted again in the same cycle",
    {"streams.core.rules.decide.decide_release": _freed_stays_at_stake(throttle.decide_release)},
)
"""Random histories meet it too seldom; test_examples.py tells one, the tests of the auditor too."""


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """The core with one mistake in it."""
    with ExitStack() as places:
        for place, wrong in bug.places.items():
            places.enter_context(patch(place, wrong))
        yield
