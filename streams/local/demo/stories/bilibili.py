"""Bilibili: line 500,000 with an announced date by which to answer; dwell 1 s."""

from schemas.enums import Answer, Command, ControlReason, Event
from streams.local.demo.script import FromDeadline, Story, control, says
from streams.local.demo.stories.common import (
    APPLIED,
    DELIVERED,
    LATE,
    NOTIFIED,
    RECEIPT,
    REMINDED,
    RESTRICTED,
    SILENT,
    crossing,
    then,
)

STORIES = (
    Story(
        "the-announced-date",
        "bilibili",
        "has longer than the window: until the date announced for the phase",
        (*crossing(0.5, 620_000), RECEIPT, then(APPLIED, 1.0, says(Answer.GRANTED))),
        live=(*SILENT, *LATE),
    ),
    Story(
        "in-time-read-late",
        "bilibili",
        "agreed in time, but the answer comes after the restriction: lifted, as in time",
        (
            *crossing(1.5, 1_800_000),
            RECEIPT,
            then(APPLIED, 0.6, says(Answer.GRANTED, FromDeadline(-0.5))),
        ),
        live=(*RESTRICTED, "granted:in_time", "lifted:granted"),
    ),
    Story(
        "extended-by-an-operator",
        "bilibili",
        "asks for more time and gets it",
        (
            *crossing(2.0, 730_000),
            RECEIPT,
            then(
                DELIVERED,
                0.5,
                control(
                    Command.EXTEND,
                    reason=ControlReason.OWNER_REQUEST,
                    until=FromDeadline(2.0),
                ),
            ),
            then(Event.INVITATION_EXTENDED, 0.6, says(Answer.GRANTED)),
        ),
        live=(*NOTIFIED, "extended:operator", REMINDED, "granted:answer"),
    ),
    Story(
        "appeal-upheld-when-restricted",
        "bilibili",
        "appeals against the restriction and wins",
        (
            *crossing(3.0, 880_000),
            RECEIPT,
            then(APPLIED, 0.4, control(Command.APPEAL_OPENED, reason=ControlReason.APPEAL)),
            then(APPLIED, 1.0, control(Command.APPEAL_UPHELD, reason=ControlReason.APPEAL)),
        ),
        live=(*RESTRICTED, "lifted:appeal"),
    ),
    Story(
        "appeal-upheld-when-invited",
        "bilibili",
        "appeals against the invitation and wins",
        (
            *crossing(4.0, 590_000),
            RECEIPT,
            then(DELIVERED, 0.4, control(Command.APPEAL_OPENED, reason=ControlReason.APPEAL)),
            then(DELIVERED, 1.2, control(Command.APPEAL_UPHELD, reason=ControlReason.APPEAL)),
        ),
        live=(*NOTIFIED, "cancelled:appeal"),
    ),
    Story(
        "appeal-rejected",
        "bilibili",
        "appeals and loses: gets the time back that the appeal took, then agrees",
        (
            *crossing(5.0, 515_000),
            RECEIPT,
            then(DELIVERED, 0.4, control(Command.APPEAL_OPENED, reason=ControlReason.APPEAL)),
            then(DELIVERED, 1.9, control(Command.APPEAL_REJECTED, reason=ControlReason.APPEAL)),
            then(Event.INVITATION_EXTENDED, 0.5, says(Answer.GRANTED)),
        ),
        live=(*NOTIFIED, "extended:pause", REMINDED, "granted:answer"),
    ),
)
