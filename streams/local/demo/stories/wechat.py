"""WeChat: line 1,000,000; dwell 0, so a reading invites at once."""

from schemas.enums import Answer, Change, Command, Event, Failure
from streams.local.demo.script import (
    At,
    Step,
    Story,
    change,
    control,
    delivered,
    failed,
    label,
    reading,
    says,
)
from streams.local.demo.stories.common import (
    AGREED,
    DELIVERED,
    GRANTED,
    ISSUED,
    NOTIFIED,
    RECEIPT,
    REMINDED,
    crossing,
    grants,
    then,
)

STORIES = (
    Story(
        "granted-then-withdrawn",
        "wechat",
        "agrees, then takes it back; nothing is restricted by that",
        (
            *crossing(0.5, 1_000_000),
            RECEIPT,
            grants(),
            then(GRANTED, 1.5, says(Answer.WITHDRAWN)),
        ),
        live=(*AGREED, "withdrawn:answer"),
    ),
    Story(
        "sold-with-consent",
        "wechat",
        "agreed, then the account got another owner: the consent is void",
        (
            *crossing(1.0, 1_740_000),
            RECEIPT,
            grants(),
            then(GRANTED, 1.2, change(Change.OWNER_CHANGED)),
        ),
        live=(*AGREED, "voided:owner_changed"),
    ),
    Story(
        "sold-while-invited",
        "wechat",
        "got another owner while invited: the invitation ends",
        (
            *crossing(5.0, 1_180_000),
            RECEIPT,
            then(DELIVERED, 0.6, change(Change.OWNER_CHANGED)),
        ),
        live=(*NOTIFIED, "cancelled:owner_changed"),
    ),
    Story(
        "bounced-then-reissued",
        "wechat",
        "the notice bounces, an operator issues it again, the owner agrees",
        (
            *crossing(1.5, 4_400_000),
            then(ISSUED, 0.3, failed(Failure.UNREACHABLE)),
            then(Event.INVITATION_UNDELIVERABLE, 0.8, control(Command.REISSUE)),
            then(ISSUED, 0.3, delivered(), nth=2),
            grants(),
        ),
        live=(
            "issued:over_line",
            "undeliverable:unreachable",
            "issued:reissued",
            "delivered:receipt",
            REMINDED,
            "granted:answer",
        ),
    ),
    Story(
        "never-reached",
        "wechat",
        "the notice bounces for good: never restricted",
        (*crossing(2.0, 1_900_000), then(ISSUED, 0.3, failed(Failure.BLOCKED))),
        live=("issued:over_line", "undeliverable:blocked"),
    ),
    Story(
        "answered-before-the-receipt",
        "wechat",
        "agrees before any receipt: the answer proves the delivery",
        (
            *crossing(3.0, 1_010_000),
            then(ISSUED, 0.5, says(Answer.GRANTED, bare=True)),
            then(GRANTED, 0.5, delivered()),
        ),
        live=("issued:over_line", "delivered:answer", "granted:answer"),
    ),
    Story(
        "unknown-label",
        "wechat",
        "has a label that no policy maps: untouched",
        (Step(At(2.0), label("玄学")), Step(At(2.1), reading(1_500_000))),
    ),
)
