"""Planted breaches of invariants 1 to 4: notice, deadlines, silence, consent, withdrawal."""

from streams.operate.audit.records import Record, iso
from tests.operate.breaches_of_doubt import reswitch
from tests.operate.planted import (
    Planted,
    both,
    drop,
    edit,
    in_turn,
    put,
    reword,
    setting,
    sooner,
    unsay,
    value,
)

DAY = 86_400_000
APPLIED, EXPIRED, ISSUED = "throttle.applied", "invitation.expired", "invitation.issued"
DELIVERED, LIFTED, GRANTED = "invitation.delivered", "throttle.lifted", "consent.granted"


def _earlier(record: Record) -> Record:
    plain = value(record)
    if record.topic != "consent-answers" or plain.get("account_id") != "a2":
        return record
    if plain["answer"] != "granted":
        return record
    earlier = put(record, value(record) | {"occurred_at": iso(record.timestamp - 6 * DAY)})
    return earlier._replace(timestamp=record.timestamp - 6 * DAY)


OF_NOTICE = [
    Planted("no receipt came", "delivery_without_word", drop("notice-receipts", account_id="a9")),
    Planted(
        "the notice failed and the account was restricted all the same",
        "delivery_without_word",
        reword("notice-receipts", setting(outcome="failed"), account_id="a9"),
    ),
    Planted(
        "restricted without a delivered notice",
        "restricted_without_notice",
        unsay(DELIVERED, account_id="a9"),
    ),
    Planted(
        "delivered before the receipt says",
        "delivery_backdated",
        edit(DELIVERED, both(sooner("delivered_at", DAY), sooner("deadline_at", DAY))),
    ),
    Planted(
        "the window cut short",
        "window_cut_short",
        edit(DELIVERED, sooner("deadline_at", DAY), account_id="a9"),
    ),
    Planted(
        "expired before the deadline",
        "restricted_before_deadline",
        edit(EXPIRED, sooner("decided_at", DAY), account_id="a9"),
    ),
    Planted(
        "restricted before the deadline",
        "restricted_before_deadline",
        edit(APPLIED, sooner("effective_at", 5 * DAY), account_id="a9"),
    ),
    Planted(
        "a deadline moved earlier",
        "deadline_moved_earlier",
        edit("invitation.extended", sooner("deadline_at", 12 * DAY), reason="operator"),
    ),
    Planted(
        "a pause of the answers counted as time to answer",
        "stopped_clock_ran",
        reswitch(sooner("issued_at", -DAY), switch="answers_paused", on=False),
    ),
    Planted(
        "a consent that nobody gave",
        "consent_without_answer",
        drop("consent-answers", account_id="a1", answer="granted"),
    ),
    Planted(
        "consent bound to another notice version",
        "notice_version_mixed",
        edit(GRANTED, setting(notice_version="2")),
    ),
    Planted(
        "silence given as refusal",
        "silence_mistaken",
        edit(EXPIRED, setting(reason="declined"), reason="no_answer"),
    ),
    Planted(
        "refusal given as silence",
        "silence_mistaken",
        edit(EXPIRED, setting(reason="no_answer"), reason="declined"),
    ),
    Planted(
        "a withdrawal without effect",
        "withdrawal_unheeded",
        unsay("consent.withdrawn", account_id="a1"),
    ),
    Planted(
        "a consent read without effect",
        "grant_unheeded",
        reword("consent-answers", setting(answer="granted"), answer="declined"),
    ),
    Planted(
        "a consent lay in Kafka before the deadline and was read after the restriction",
        "answer_overtaken",
        in_turn(
            lambda records: [_earlier(record) for record in records],
            edit(GRANTED, sooner("answered_at", 6 * DAY), account_id="a2"),
        ),
    ),
]
