"""Baidu: line 1,000,000; dwell 0; two switches are turned on and off."""

from schemas.enums import Answer, Command, Event, Switch
from streams.local.demo.script import At, Later, Step, Story, control, says, switch
from streams.local.demo.stories.common import (
    AGREED,
    APPLIED,
    DELIVERED,
    LATE,
    NOTIFIED,
    RECEIPT,
    REMINDED,
    SILENT,
    crossing,
    grants,
    pausable,
    then,
)

STORIES = (
    Story(
        "brake-on-invitations",
        "baidu",
        "crosses while invitations are off: is invited when they are on again",
        (
            Step(At(0.2), switch(Switch.INVITATIONS_OFF, on=True)),
            *crossing(1.2, 1_210_000),
            Step(At(3.2), switch(Switch.INVITATIONS_OFF, on=False)),
            RECEIPT,
            grants(0.4),
        ),
        live=pausable(AGREED),
    ),
    Story(
        "answers-paused",
        "baidu",
        "the answering page is down for two seconds: gets them back, stays silent, agrees late",
        (
            *crossing(6.0, 3_900_000),
            RECEIPT,
            then(DELIVERED, 0.8, switch(Switch.ANSWERS_PAUSED, on=True)),
            then(DELIVERED, 2.4, switch(Switch.ANSWERS_PAUSED, on=False)),
            then(APPLIED, 0.8, says(Answer.GRANTED)),
        ),
        live=(*NOTIFIED, "extended:pause", *SILENT[2:], *LATE),
    ),
    Story(
        "agrees-in-the-pause",
        "baidu",
        "an answer that gets through in the pause counts",
        (*crossing(6.2, 1_070_000), RECEIPT, grants(1.6)),
        live=pausable(AGREED),
    ),
    Story(
        "hold-runs-out",
        "baidu",
        "is held until a set time: the clock of the answer runs on from there",
        (
            *crossing(12.0, 1_330_000),
            RECEIPT,
            then(DELIVERED, 0.4, control(Command.HOLD, expires_at=Later(2.5))),
            then(Event.INVITATION_EXTENDED, 0.5, says(Answer.GRANTED)),
        ),
        live=(*NOTIFIED, "extended:pause", REMINDED, "granted:answer"),
    ),
)
