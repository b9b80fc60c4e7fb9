"""Xiaohongshu: line 1,000,000; dwell 0."""

from schemas.enums import Answer, Change, Command, ControlReason, Event
from streams.local.demo.script import (
    Story,
    change,
    control,
    label,
    says,
    unlabel,
)
from streams.local.demo.stories.common import (
    AGREED,
    APPLIED,
    DELIVERED,
    GRANTED,
    NOTIFIED,
    RECEIPT,
    REMINDED,
    RESTRICTED,
    crossing,
    grants,
    then,
)

STORIES = (
    Story(
        "exempted-while-invited",
        "xiaohongshu",
        "is exempted: the invitation ends",
        (*crossing(0.8, 1_130_000), RECEIPT, then(DELIVERED, 0.6, change(Change.EXEMPTED))),
        live=(*NOTIFIED, "cancelled:exempted"),
    ),
    Story(
        "exempted-while-restricted",
        "xiaohongshu",
        "is exempted while restricted: free at once",
        (*crossing(1.5, 2_060_000), RECEIPT, then(APPLIED, 0.7, change(Change.EXEMPTED))),
        live=(*RESTRICTED, "cancelled:exempted", "lifted:exempted"),
    ),
    Story(
        "closed-while-invited",
        "xiaohongshu",
        "gives the account up",
        (*crossing(2.0, 1_020_000), RECEIPT, then(DELIVERED, 0.8, change(Change.CLOSED))),
        live=(*NOTIFIED, "cancelled:closed"),
    ),
    Story(
        "closed-with-consent",
        "xiaohongshu",
        "agreed, and gives the account up later",
        (*crossing(2.5, 1_650_000), RECEIPT, grants(), then(GRANTED, 1.0, change(Change.CLOSED))),
        live=(*AGREED, "voided:closed"),
    ),
    Story(
        "lifted-by-an-operator",
        "xiaohongshu",
        "is restricted by a mistake; an operator lifts it",
        (
            *crossing(3.0, 7_310_000),
            RECEIPT,
            then(APPLIED, 0.9, control(Command.LIFT, reason=ControlReason.ERROR_CORRECTION)),
        ),
        live=(*RESTRICTED, "lifted:operator"),
    ),
    Story(
        "label-removed",
        "xiaohongshu",
        "loses its label while invited",
        (*crossing(3.5, 1_090_000), RECEIPT, then(DELIVERED, 0.5, unlabel())),
        live=(*NOTIFIED, "cancelled:label"),
    ),
    Story(
        "label-runs-out",
        "xiaohongshu",
        "its label is told to end soon, and ends while invited",
        (*crossing(4.0, 1_440_000), RECEIPT, then(DELIVERED, 0.3, label(valid_for=1.5))),
        live=(*NOTIFIED, "cancelled:label"),
    ),
    Story(
        "held-and-released",
        "xiaohongshu",
        "is held for a while: the clock of the answer stops",
        (
            *crossing(5.0, 2_700_000),
            RECEIPT,
            then(DELIVERED, 0.4, control(Command.HOLD, reason=ControlReason.LEGAL_HOLD)),
            then(DELIVERED, 1.8, control(Command.UNHOLD, reason=ControlReason.LEGAL_HOLD)),
            then(Event.INVITATION_EXTENDED, 0.4, says(Answer.GRANTED)),
        ),
        live=(*NOTIFIED, "extended:pause", REMINDED, "granted:answer"),
    ),
)
