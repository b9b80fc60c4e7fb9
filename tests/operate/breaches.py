"""Planted breaches of invariants 5 and 7 to 15, and the whole list: every rule of the auditor.

With those of 1 to 4 in `breaches_of_notice` and the forged events in `breaches_forged` there is at
least one for each name in `RULES`; a test holds that.
"""

import json

from streams.operate.audit.records import Record
from tests.operate.breaches_forged import FORGED
from tests.operate.breaches_of_doubt import OF_DOUBT
from tests.operate.breaches_of_notice import OF_NOTICE
from tests.operate.planted import (
    Planted,
    drop,
    edit,
    in_statement,
    moved_to,
    relog,
    repeated,
    reword,
    setting,
    sooner,
    unsay,
    value,
)

DAY = 86_400_000


def _late_transaction(records: list[Record]) -> int:
    return max(value(it)["number"] for it in records if value(it).get("kind") == "transaction")


def _altered(record: Record) -> Record:
    if record.topic != "policies":
        return record
    text = json.dumps({**value(record), "impact_assessment": None}, ensure_ascii=False)
    return record._replace(value=text.encode())


def _approved_by(record: Record, *actors: str) -> Record:
    """A policy's text with these approvals, under the digest that it had."""
    if record.topic != "policies":
        return record
    approvals = [[actor, number] for number, actor in enumerate(actors)]
    text = json.dumps({**value(record), "approvals": approvals}, ensure_ascii=False)
    return record._replace(value=text.encode())


def _unlisted(records: list[Record]) -> list[Record]:
    return relog(lambda it: it["events"].pop(), number=_deciding(records, APPLIED))(records)


def _deciding(records: list[Record], event: str) -> int:
    return next(
        value(it)["number"]
        for it in records
        if any(listed["event"] == event for listed in value(it).get("events", ()))
    )


def _misheaded(record: Record) -> Record:
    if value(record).get("event") != APPLIED:
        return record
    return record._replace(headers=())


def _rekeyed(record: Record) -> Record:
    if value(record).get("event") != EXPIRED or value(record)["account_id"] != "a9":
        return record
    return record._replace(key=b"weibo:a10")


APPLIED, EXPIRED, ISSUED = "throttle.applied", "invitation.expired", "invitation.issued"
DELIVERED, LIFTED, GRANTED = "invitation.delivered", "throttle.lifted", "consent.granted"

PLANTED = [
    *OF_NOTICE,
    *FORGED,
    *OF_DOUBT,
    Planted("an event twice", "event_twice", repeated("throttles", APPLIED)),
    Planted(
        "an order number left out",
        "sequence_broken",
        edit(LIFTED, lambda it: it.update(sequence=it["sequence"] + 1)),
    ),
    Planted(
        "a cycle opened beside an open one",
        "cycle_opened_twice",
        edit(ISSUED, lambda it: it.update(cycle=5, reason="over_line"), reason="reissued"),
    ),
    Planted(
        "an input that acted twice",
        "input_applied_twice",
        relog(
            lambda it: it["cause"].update(offset=0), cause={"topic": "notice-receipts", "offset": 9}
        ),
    ),
    Planted(
        "a transaction that read backwards",
        "reads_moved_back",
        lambda records: relog(
            lambda it: it["reads"].update({"follower-counts": 1}), number=_late_transaction(records)
        )(records),
    ),
    Planted(
        "a surface that the notice did not name",
        "surface_not_at_stake",
        edit(APPLIED, setting(surface="commerce"), surface="tips"),
    ),
    Planted(
        "a stronger level than the policy's",
        "level_too_strong",
        edit(APPLIED, setting(level="off"), surface="recommend-feed"),
    ),
    Planted(
        "a restriction that acts backwards",
        "acts_backwards",
        edit(APPLIED, sooner("effective_at", 1000)),
    ),
    Planted(
        "a restriction that ends too late",
        "end_too_late",
        edit(APPLIED, sooner("expires_at", -DAY)),
    ),
    Planted(
        "somebody else's restriction lifted",
        "lifted_not_ours",
        edit(LIFTED, setting(throttle_id="somebody-elses")),
    ),
    Planted(
        "one surface stayed restricted after a consent",
        "not_lifted",
        unsay(LIFTED, account_id="a2", reason="granted"),
    ),
    Planted(
        "one surface stayed restricted after an exemption",
        "not_lifted",
        reword("account-changes", setting(account_id="a15", change="exempted"), account_id="a13"),
    ),
    Planted("a restriction outlived its end", "outlived_its_end", unsay(LIFTED, reason="ended")),
    Planted("a fall below the line without effect", "not_lifted", unsay(LIFTED, reason="left")),
    Planted(
        "other terms than at the issue",
        "terms_changed",
        edit(APPLIED, in_statement("ground", notice_version="9")),
    ),
    Planted(
        "an invitation at another line than the policy's",
        "terms_changed",
        edit(ISSUED, setting(line=500)),
    ),
    Planted(
        "a phase that does not exist", "phase_not_in_force", edit(ISSUED, setting(phase="next"))
    ),
    Planted(
        "a policy whose text was changed",
        "policy_altered",
        lambda records: [_altered(record) for record in records],
    ),
    Planted(
        "restricting in enforce under a policy without assessment",
        "unfit_policy",
        lambda records: [_altered(record) for record in records],
    ),
    Planted(
        "an event that no decision names",
        "event_without_decision",
        lambda records: _unlisted(records),
    ),
    Planted(
        "a decision whose event is not there",
        "decision_without_event",
        drop("throttles", event=LIFTED),
    ),
    Planted(
        "a header that disagrees",
        "decision_differs",
        lambda records: [_misheaded(record) for record in records],
    ),
    Planted(
        "a restriction without a statement",
        "invalid_event",
        edit(APPLIED, lambda it: it.pop("statement")),
    ),
    Planted(
        "a statement with another answer",
        "statement_wrong",
        edit(APPLIED, lambda it: it["statement"].update(answer="declined"), reason="no_answer"),
    ),
    Planted(
        "a statement with another band of the count",
        "statement_wrong",
        edit(APPLIED, in_statement("facts", followers_band="1000000-4999999")),
    ),
    Planted(
        "a statement with the band of a count that came later",
        "statement_wrong",
        edit(APPLIED, in_statement("facts", followers_band="500000-999999")),
        "moved",
    ),
    Planted(
        "a shadow event on the live topic",
        "modes_mixed",
        moved_to("throttles", APPLIED, mode="shadow"),
        "shadow",
    ),
    Planted("a policy that nobody published", "policy_unknown", drop("policies")),
    Planted(
        "an adverse event during a hold",
        "acted_during_hold",
        reword("controls", setting(command="extend"), command="unhold"),
    ),
    Planted(
        "an adverse event during a hold, after the end of a second, shorter one",
        "acted_during_hold",
        reword("controls", setting(command="extend"), command="unhold"),
        "held",
    ),
    Planted(
        "an adverse event during an appeal",
        "acted_during_appeal",
        reword("controls", setting(command="extend"), command="appeal_rejected"),
    ),
    Planted(
        "the same cycle restricts after an upheld appeal",
        "restricted_after_verdict",
        reword("controls", setting(command="appeal_upheld"), command="appeal_rejected"),
    ),
    Planted(
        "an adverse event on a closed account",
        "acted_on_untouchable",
        reword("account-changes", setting(account_id="a9"), account_id="a13"),
    ),
    Planted(
        "a brake that did not hold",
        "acted_during_brake",
        relog(setting(on=True), kind="switch", on=False),
    ),
    Planted(
        "an event under another account's key",
        "crossed_accounts",
        lambda records: [_rekeyed(record) for record in records],
    ),
    Planted(
        "an answer of one account acted on another",
        "crossed_accounts",
        reword("consent-answers", setting(account_id="a9"), answer="declined"),
    ),
    Planted(
        "a bulk control with one actor alone",
        "unapproved_bulk",
        reword("controls", setting(bulk_id="b1"), command="reissue"),
        options={"require_approvals": True},
    ),
    Planted(
        "an adverse event under a policy that nobody approved",
        "unapproved_policy",
        lambda records: records,
        options={"require_approvals": True},
    ),
    Planted(
        "an adverse event under a policy that one person approved twice",
        "unapproved_policy",
        lambda records: [_approved_by(it, "op.1", "op.1") for it in records],
        "approved",
        options={"require_approvals": True},
    ),
    Planted(
        "renewed after its end",
        "renewed_after_end",
        edit("throttle.renewed", sooner("decided_at", -30 * DAY)),
    ),
    Planted(
        "a fact of a decision changed afterwards",
        "chain_broken",
        relog(lambda it: it["facts"].update(followers=9), kind="decision"),
    ),
]
