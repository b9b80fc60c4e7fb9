"""Douyin: line 500,000; dwell 2 s; leaves after 2 s below; cool-down 3 s."""

from schemas.enums import Answer, Cause, Event
from streams.local.demo.script import At, Step, Story, delivered, label, reading, says
from streams.local.demo.stories.common import (
    AGREED,
    APPLIED,
    DELIVERED,
    GRANTED,
    ISSUED,
    NOTIFIED,
    RECEIPT,
    RESTRICTED,
    crossing,
    grants,
    then,
)

FLAPS = ((0.2, 510_000), (1.0, 490_000), (1.8, 505_000), (2.6, 480_000), (3.4, 520_000))

STORIES = (
    Story(
        "flapping",
        "douyin",
        "crosses the line three times, never for the whole dwell: not invited",
        (
            Step(At(0.1), label()),
            *(Step(At(at), reading(followers)) for at, followers in FLAPS),
            Step(At(4.2), reading(499_999)),
        ),
    ),
    Story(
        "purges-after-the-notice",
        "douyin",
        "removes followers when invited, stays below, has left",
        (
            *crossing(1.0, 560_000),
            RECEIPT,
            then(DELIVERED, 0.4, reading(300_000, Cause.OWNER_PURGE)),
        ),
        live=(*NOTIFIED, "cancelled:left"),
    ),
    Story(
        "restricted-then-leaves",
        "douyin",
        "is restricted, falls below and stays there: free",
        (*crossing(2.0, 910_000), RECEIPT, then(APPLIED, 0.5, reading(350_000))),
        live=(*RESTRICTED, "cancelled:left", "lifted:left"),
    ),
    Story(
        "leaves-and-comes-back",
        "douyin",
        "refuses, leaves, comes back after the cool-down: a second cycle",
        (
            *crossing(0.5, 540_000),
            RECEIPT,
            then(ISSUED, 0.6, says(Answer.DECLINED)),
            then(Event.CONSENT_DECLINED, 0.3, reading(200_000)),
            then(Event.INVITATION_CANCELLED, 1.0, reading(650_000)),
            then(ISSUED, 0.3, delivered(), nth=2),
            grants(nth=2),
        ),
        live=(*NOTIFIED, "declined:answer", "cancelled:left", *AGREED),
    ),
    Story(
        "correction",
        "douyin",
        "is over the line by a correction of the count alone: opens nothing",
        (
            Step(At(1.0), label()),
            Step(At(1.5), reading(440_000)),
            Step(At(3.0), reading(700_000, Cause.CORRECTION)),
        ),
    ),
    Story(
        "platform-purge",
        "douyin",
        "agreed, then the platform removed followers: a consent lasts",
        (
            *crossing(3.0, 505_000),
            RECEIPT,
            grants(),
            then(GRANTED, 0.8, reading(390_000, Cause.PLATFORM_PURGE)),
        ),
        live=AGREED,
    ),
)
