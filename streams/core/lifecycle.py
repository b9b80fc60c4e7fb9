"""Every state and every transition of the three machines, and nothing else.

schemas/CONTRACT.md, "Eligibility", "Invitation" and "Throttle".

Rules of this file:

1. The machines are independent. An account has one eligibility, at most two lives (live, shadow),
   and one throttle per surface. No table holds their combinations.
2. A row gives the next state for a state and an input, and the events that the transition emits,
   in order. Conditions are in `decide`, effects in `evolve`; neither does what no row allows.
3. A pair of state and input without a row changes nothing: the input is only recorded. A timer
   that goes off in a state without a row for it is a bug, which stops the worker (`Impossible`).
4. The diagrams of LIFECYCLE.md and the exhaustive tests are made from these tables.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum, unique
from typing import NamedTuple

from schemas.enums import Event


@unique
class Eligibility(IntEnum):
    """Whether an account falls under the rule."""

    OUTSIDE = 0
    DWELLING = 1
    INSIDE = 2
    LEAVING = 3


@unique
class Invitation(IntEnum):
    """The state of a life's present cycle; NONE without one.

    A cycle is one invitation and what follows from it.
    """

    NONE = 0
    INVITED = 1
    UNDELIVERED = 2
    DELIVERED = 3
    DECLINED = 4
    EXPIRED = 5
    GRANTED = 6


@unique
class Throttle(IntEnum):
    """Whether Byline restricts a surface of an account."""

    FREE = 0
    THROTTLED = 1


OPEN = frozenset(
    {
        Invitation.INVITED,
        Invitation.UNDELIVERED,
        Invitation.DELIVERED,
        Invitation.DECLINED,
        Invitation.EXPIRED,
    }
)
"""The states of a cycle that has not ended and in which no consent is in force."""


@unique
class Input(StrEnum):
    """The inputs of the machines. Those in `TIMERS` come from timers, never from a record."""

    CONDITIONS_HOLD = "conditions hold"
    CONDITIONS_FAIL = "conditions fail"
    DWELL_OVER = "dwell over"
    BELOW_EXIT = "below the exit line"
    NOT_BELOW_EXIT = "not below the exit line"
    LEAVE_OVER = "leave over"
    LOWER_LINE = "a lower line counts"
    HIGHER_LINE = "a higher line counts"

    INSIDE = "inside, nothing deferring"
    PROJECTED = "shadow: delivered by projection"
    RECEIPT_DELIVERED = "receipt delivered"
    RECEIPT_FAILED = "receipt failed"
    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    GRANT_TAKEN_BACK = "granted, but taken back since"
    REISSUE = "reissue"
    REMINDER_DUE = "reminder due"
    DEADLINE_PASSED = "deadline passed"
    EXTEND = "extend"
    CLOCK_RESUMED = "a pause of the clock ended"
    MILDER_POLICY = "a milder policy"
    LIFT = "lift"
    APPEAL_UPHELD = "appeal upheld"
    GONE = "no longer inside, or mode, platform or phase withdrawn"
    CLOSED = "closed"
    OWNER_CHANGED = "owner changed"
    NEW_NOTICE = "a new notice version, renewing"
    HOLD = "hold"
    UNHOLD = "unhold"
    APPEAL_OPENED = "appeal opened"
    APPEAL_REJECTED = "appeal rejected"
    UNCLEAR = "unclear word"
    SETTLE = "settle"
    ENDED = "the restrictions of the cycle ended, or its time without any"

    APPLY = "expired, surface named"
    REVIEW_DUE = "review due"
    EXPIRY_DUE = "expiry due"
    RELEASE = "ground vanished"


TIMERS = frozenset(
    {
        Input.DWELL_OVER,
        Input.LEAVE_OVER,
        Input.REMINDER_DUE,
        Input.DEADLINE_PASSED,
        Input.REVIEW_DUE,
        Input.EXPIRY_DUE,
    }
)


class LifecycleRow(NamedTuple):
    """A transition: the next state, and the events that it emits, in order.

    `lifts`: after them it emits `throttle.lifted` for each restricted surface; with `lifts_first`,
    before them. `cool_down`: no new cycle may start before the policy's cool-down is over.
    """

    next_state: IntEnum
    emits: tuple[Event, ...] = ()
    lifts: bool = False
    cool_down: bool = False
    lifts_first: bool = False


class Impossible(Exception):
    """A timer went off in a state that has no row for it: a bug in Byline, not in an input."""

    def __init__(self, state: IntEnum, input_: Input) -> None:
        super().__init__(f"{type(state).__name__} {state.name} cannot take the timer '{input_}'")


Table = Mapping[IntEnum, Mapping[Input, LifecycleRow]]

_E, _I, _T = Eligibility, Invitation, Throttle

ELIGIBILITY: Table = {
    _E.OUTSIDE: {Input.CONDITIONS_HOLD: LifecycleRow(_E.DWELLING)},
    _E.DWELLING: {
        Input.DWELL_OVER: LifecycleRow(_E.INSIDE),
        Input.CONDITIONS_FAIL: LifecycleRow(_E.OUTSIDE),
    },
    _E.INSIDE: {
        Input.BELOW_EXIT: LifecycleRow(_E.LEAVING),
        Input.LOWER_LINE: LifecycleRow(_E.INSIDE),
        Input.HIGHER_LINE: LifecycleRow(_E.INSIDE),
        Input.CONDITIONS_FAIL: LifecycleRow(_E.OUTSIDE),
    },
    _E.LEAVING: {
        Input.NOT_BELOW_EXIT: LifecycleRow(_E.INSIDE),
        Input.LEAVE_OVER: LifecycleRow(_E.OUTSIDE),
        Input.CONDITIONS_FAIL: LifecycleRow(_E.OUTSIDE),
    },
}

_ENDINGS = {
    **{
        input_: LifecycleRow(_I.NONE, (Event.INVITATION_CANCELLED,), lifts=True, cool_down=True)
        for input_ in (Input.GONE, Input.CLOSED, Input.OWNER_CHANGED)
    },
    Input.GRANT_TAKEN_BACK: LifecycleRow(
        _I.NONE, (Event.CONSENT_WITHDRAWN,), lifts=True, cool_down=True, lifts_first=True
    ),
}
_LIFTABLE = {
    input_: LifecycleRow(_I.NONE, (Event.INVITATION_CANCELLED,), cool_down=True)
    for input_ in (Input.LIFT, Input.APPEAL_UPHELD)
}
_ANSWERED_UNSEEN = {
    Input.GRANTED: LifecycleRow(_I.GRANTED, (Event.INVITATION_DELIVERED, Event.CONSENT_GRANTED)),
    Input.DECLINED: LifecycleRow(_I.DECLINED, (Event.INVITATION_DELIVERED, Event.CONSENT_DECLINED)),
}


def _waiting(state: Invitation) -> dict[Input, LifecycleRow]:
    """Returns the rows that DELIVERED and DECLINED share: in both the answer window runs."""
    return {
        Input.GRANTED: LifecycleRow(_I.GRANTED, (Event.CONSENT_GRANTED,)),
        Input.DEADLINE_PASSED: LifecycleRow(_I.EXPIRED, (Event.INVITATION_EXPIRED,)),
        Input.EXTEND: LifecycleRow(state, (Event.INVITATION_EXTENDED,)),
        Input.CLOCK_RESUMED: LifecycleRow(state, (Event.INVITATION_EXTENDED,)),
        Input.MILDER_POLICY: LifecycleRow(state, (Event.INVITATION_EXTENDED,)),
        **_LIFTABLE,
        **_ENDINGS,
    }


INVITATION: Table = {
    _I.NONE: {Input.INSIDE: LifecycleRow(_I.INVITED, (Event.INVITATION_ISSUED,))},
    _I.INVITED: {
        Input.PROJECTED: LifecycleRow(_I.DELIVERED, (Event.INVITATION_DELIVERED,)),
        Input.RECEIPT_DELIVERED: LifecycleRow(_I.DELIVERED, (Event.INVITATION_DELIVERED,)),
        Input.RECEIPT_FAILED: LifecycleRow(_I.UNDELIVERED, (Event.INVITATION_UNDELIVERABLE,)),
        Input.REISSUE: LifecycleRow(_I.INVITED, (Event.INVITATION_ISSUED,)),
        Input.EXTEND: LifecycleRow(_I.INVITED),
        **_ANSWERED_UNSEEN,
        **_LIFTABLE,
        **_ENDINGS,
    },
    _I.UNDELIVERED: {
        Input.RECEIPT_DELIVERED: LifecycleRow(_I.DELIVERED, (Event.INVITATION_DELIVERED,)),
        Input.REISSUE: LifecycleRow(_I.INVITED, (Event.INVITATION_ISSUED,)),
        Input.EXTEND: LifecycleRow(_I.UNDELIVERED),
        **_ANSWERED_UNSEEN,
        **_LIFTABLE,
        **_ENDINGS,
    },
    _I.DELIVERED: {
        Input.RECEIPT_FAILED: LifecycleRow(_I.UNDELIVERED, (Event.INVITATION_UNDELIVERABLE,)),
        Input.REMINDER_DUE: LifecycleRow(_I.DELIVERED, (Event.INVITATION_REMINDED,)),
        Input.DECLINED: LifecycleRow(_I.DECLINED, (Event.CONSENT_DECLINED,)),
        **_waiting(_I.DELIVERED),
    },
    _I.DECLINED: _waiting(_I.DECLINED),
    _I.EXPIRED: {
        Input.RECEIPT_FAILED: LifecycleRow(
            _I.UNDELIVERED, (Event.INVITATION_UNDELIVERABLE,), lifts=True
        ),
        Input.GRANTED: LifecycleRow(_I.GRANTED, (Event.CONSENT_GRANTED,), lifts=True),
        Input.LIFT: LifecycleRow(_I.EXPIRED, lifts=True),
        Input.APPEAL_UPHELD: LifecycleRow(_I.EXPIRED, lifts=True),
        Input.ENDED: LifecycleRow(_I.NONE, lifts=True, cool_down=True),
        **_ENDINGS,
    },
    _I.GRANTED: {
        Input.GRANTED: LifecycleRow(_I.GRANTED, (Event.CONSENT_GRANTED,)),
        Input.WITHDRAWN: LifecycleRow(_I.NONE, (Event.CONSENT_WITHDRAWN,), cool_down=True),
        Input.DECLINED: LifecycleRow(_I.NONE, (Event.CONSENT_WITHDRAWN,), cool_down=True),
        Input.CLOSED: LifecycleRow(_I.NONE, (Event.CONSENT_VOIDED,), cool_down=True),
        Input.OWNER_CHANGED: LifecycleRow(_I.NONE, (Event.CONSENT_VOIDED,), cool_down=True),
        Input.NEW_NOTICE: LifecycleRow(_I.NONE, (Event.CONSENT_VOIDED,)),
    },
}

THROTTLE: Table = {
    _T.FREE: {Input.APPLY: LifecycleRow(_T.THROTTLED, (Event.THROTTLE_APPLIED,))},
    _T.THROTTLED: {
        Input.REVIEW_DUE: LifecycleRow(_T.THROTTLED, (Event.THROTTLE_RENEWED,)),
        Input.EXPIRY_DUE: LifecycleRow(_T.FREE, (Event.THROTTLE_LIFTED,)),
        Input.RELEASE: LifecycleRow(_T.FREE, (Event.THROTTLE_LIFTED,)),
    },
}

MACHINES: Mapping[str, Table] = {
    "eligibility": ELIGIBILITY,
    "invitation": INVITATION,
    "throttle": THROTTLE,
}

_TABLE_OF: Mapping[type[IntEnum], Table] = {
    Eligibility: ELIGIBILITY,
    Invitation: INVITATION,
    Throttle: THROTTLE,
}


def row_of(state: IntEnum, input_: Input) -> LifecycleRow | None:
    """Returns the row of a state and an input; None if the input changes nothing.

    Raises:
        Impossible: a timer has no row in this state.
    """
    row = _TABLE_OF[type(state)][state].get(input_)
    if row is None and input_ in TIMERS:
        raise Impossible(state, input_)
    return row
