"""Planted breaches of what the second edition added: doubt that stopped nothing, words unheard."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from streams.operate.audit.records import Record, iso, millis
from tests.operate.planted import (
    Plant,
    Planted,
    Records,
    drop,
    edit,
    put,
    relog,
    reword,
    setting,
    sooner,
    unsay,
    value,
)

DAY = 86_400_000
APPLIED, ISSUED, DELIVERED = "throttle.applied", "invitation.issued", "invitation.delivered"
REMINDED, CANCELLED = "invitation.reminded", "invitation.cancelled"
SETTLED = {"switch": "refusals_settled", "on": True}


def _steps(record: Record, event: str, records: Records) -> bool:
    """Whether this transaction tells such an event."""
    at = records.index(record)
    for before in reversed(records[:at]):
        plain = value(before)
        if before.topic != "decisions" or plain["kind"] == "transaction":
            return False
        if any(it["event"] == event for it in plain.get("events", ())):
            return "timer" in plain["cause"]
    return False


def in_transaction(event: str, change: Callable[[dict[str, Any]], None]) -> Plant:
    """Rewrite the record of the first transaction in which a timer told such an event."""

    def plant(records: Records) -> Records:
        for index, record in enumerate(records):
            plain = value(record) if record.topic == "decisions" else {}
            if plain.get("kind") == "transaction" and _steps(record, event, records):
                change(plain)
                return [*records[:index], put(record, plain), *records[index + 1 :]]
        raise AssertionError(f"no timer told {event}")

    return plant


def _favourable(plain: dict[str, Any]) -> None:
    for step in plain["steps"]:
        if "as_of" in step:
            step["favourable_only"] = True


def _changed_before(plain: dict[str, Any]) -> None:
    plain["cluster_changed"] = iso(millis(plain["now"]) - DAY)


def _other_policy(stability: dict[str, Any], **more: Any) -> Plant:
    """Every policy with other terms, and the digests that go with them."""

    def plant(records: Records) -> Records:
        texts = {
            (record.key or b"").decode(): {**value(record)}
            for record in records
            if record.topic == "policies"
        }
        new: dict[str, bytes] = {}
        for digest, plain in texts.items():
            plain["stability"] = {**plain["stability"], **stability}
            plain.update(more)
            new[digest] = json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()
        return [_renamed(record, new) for record in records]

    return plant


def _renamed(record: Record, new: dict[str, bytes]) -> Record:
    if record.topic == "policies":
        text = new[(record.key or b"").decode()]
        return record._replace(key=hashlib.sha256(text).hexdigest().encode(), value=text)
    raw = record.value or b""
    for digest, text in new.items():
        raw = raw.replace(digest.encode(), hashlib.sha256(text).hexdigest().encode())
    return record._replace(value=raw)


def reswitch(change: Callable[[dict[str, Any]], None], **wanted: Any) -> Plant:
    """Another word in the first such record of the topic of switches; it enters when it says."""

    def plant(records: Records) -> Records:
        for index, record in enumerate(records):
            plain = value(record) if record.topic == "switches" else {}
            if plain and all(plain.get(k) == v for k, v in wanted.items()):
                change(plain)
                done = put(record, plain)._replace(timestamp=millis(plain["issued_at"]))
                return [*records[:index], done, *records[index + 1 :]]
        raise AssertionError(f"no switch is {wanted}")

    return plant


def _trip_blamed_on_a_good_record(plain: dict[str, Any]) -> None:
    plain["cause"] = {"topic": "byline.notice-receipts", "offset": 0}
    plain["refused"] = 1


OF_DOUBT = [
    Planted(
        "a notice that failed after all, and nothing followed",
        "bounce_unheeded",
        unsay("invitation.undeliverable", account_id="j2"),
        "bounced",
    ),
    Planted(
        "a notice that failed after the expiry, and one surface stayed restricted",
        "not_lifted",
        unsay("throttle.lifted", account_id="j3", reason="undeliverable"),
        "bounced",
    ),
    Planted(
        "a receipt that started no window",
        "delivery_unheeded",
        unsay(DELIVERED, account_id="j1"),
        "bounced",
    ),
    Planted(
        "a refusal that nobody noted",
        "refusal_unheeded",
        unsay("consent.declined", account_id="a2"),
    ),
    Planted(
        "an invitation that outlived its label",
        "not_cancelled",
        unsay(CANCELLED, account_id="k9", reason="label"),
        "leaving",
    ),
    Planted(
        "delivered by a receipt older than the failure",
        "delivery_without_word",
        reword(
            "notice-receipts",
            setting(outcome="failed", failure="other"),
            account_id="j1",
        ),
        "bounced",
    ),
    Planted(
        "an extension of an undelivered invitation forgotten",
        "extension_unheeded",
        edit(DELIVERED, sooner("deadline_at", DAY), account_id="j1"),
        "bounced",
    ),
    Planted(
        "a consent that outlived its account",
        "consent_not_voided",
        unsay("consent.voided", reason="closed"),
        "taken back",
    ),
    Planted(
        "a consent to an old notice stayed although a new one asks everybody",
        "consent_not_voided",
        unsay("consent.voided", reason="notice", account_id="l5"),
        "milder",
    ),
    Planted(
        "two reminders at once after an outage",
        "reminded_too_often",
        lambda records: at_once(records, REMINDED, "n1"),
        "asleep",
    ),
    Planted(
        "a reminder before its time",
        "reminded_too_often",
        edit(REMINDED, sooner("decided_at", DAY)),
    ),
    Planted(
        "a reissue that nobody asked for",
        "reissued_unasked",
        reword("controls", setting(command="extend"), command="reissue"),
        "bounced",
    ),
    Planted(
        "an exemption that cancelled nothing",
        "not_cancelled",
        unsay(CANCELLED, reason="exempted"),
    ),
    Planted(
        "an exemption that was read after its end and cancelled nothing",
        "not_cancelled",
        unsay(CANCELLED, reason="exempted"),
        "taken back",
    ),
    Planted(
        "a grant read after the withdrawal that outweighs it left everything restricted",
        "grant_unheeded",
        unsay("consent.withdrawn", account_id="o2"),
        "taken back",
    ),
    Planted(
        "an adverse event while the refusal guard was tripped",
        "acted_during_refusals",
        drop("switches", **SETTLED),
        "refused",
    ),
    Planted(
        "an adverse event on an account with a badly formed answer",
        "acted_on_unclear_word",
        reword("controls", setting(command="extend"), command="settle", account_id="h1"),
        "unclear",
    ),
    Planted(
        "an adverse event on an account with a badly formed change",
        "acted_on_unclear_word",
        reword("account-changes", setting(account_id="h8"), account_id="h2"),
        "unclear",
    ),
    Planted(
        "an adverse event on an account whose grant named a notice never shown",
        "acted_on_unclear_word",
        reword("consent-answers", setting(account_id="h8"), account_id="h5", answer="declined"),
        "unclear",
    ),
    Planted(
        "an adverse event although one appeal of two was open",
        "acted_during_appeal",
        reword("controls", setting(appeal_id="w"), command="appeal_rejected", appeal_id="y"),
        "appealed",
    ),
    Planted(
        "an adverse event on an account below its exit line",
        "acted_while_leaving",
        reword("follower-counts", setting(followers=400), account_id="k1", followers=2100),
        "leaving",
    ),
    Planted(
        "an adverse event on facts older than the policy allows",
        "acted_on_stale_facts",
        _other_policy({"max_age": DAY}),
    ),
    Planted(
        "an adverse event in a round for favourable ones",
        "acted_out_of_turn",
        in_transaction("invitation.expired", _favourable),
    ),
    Planted(
        "an adverse event after the cluster was seen to change",
        "acted_during_change",
        in_transaction("invitation.expired", _changed_before),
    ),
    Planted(
        "a hundred refused and no trip",
        "guard_not_tripped",
        drop("decisions", kind="refusal_guard"),
        "refused",
    ),
    Planted(
        "a trip for nothing",
        "guard_tripped_wrongly",
        relog(_trip_blamed_on_a_good_record, kind="refusal_guard"),
        "refused",
    ),
    Planted(
        "a trip that no other partition hears of",
        "guard_unsaid",
        drop("switches", actor="byline", on=False),
        "refused",
    ),
    Planted(
        "a good answer refused",
        "refused_wrongly",
        lambda records: relog_letter(records, topic="byline.consent-answers", offset=3),
        "unclear",
    ),
    Planted(
        "a refused answer that is no dead letter",
        "refused_unsaid",
        drop("dead-letters", topic="byline.consent-answers"),
        "unclear",
    ),
    Planted(
        "a record of the log that nobody published",
        "log_unreadable",
        relog(setting(kind="novel"), kind="decision"),
    ),
    Planted(
        "invited anew after an upheld appeal",
        "invited_after_verdict",
        reword("controls", setting(reason="test"), account_id="i2", command="unhold"),
        "appealed",
    ),
    Planted(
        "invited although it was below the line during the dwell",
        "dwell_cut_short",
        reword("follower-counts", setting(followers=700), account_id="k8", followers=2500),
        "leaving",
    ),
    Planted(
        "a label that ended and restrictions that stayed",
        "not_lifted",
        unsay("throttle.lifted", account_id="k3", reason="label"),
        "leaving",
    ),
    Planted(
        "a phase that is gone and a restriction that stayed",
        "not_lifted",
        unsay("throttle.lifted", reason="policy"),
        "milder",
    ),
    Planted(
        "more invitations on a day than the cap",
        "cap_exceeded",
        _other_policy({}, invitations_per_day=2),
    ),
    Planted(
        "more accounts throttled in an hour than the cap",
        "cap_exceeded",
        _other_policy({}, throttles_per_hour=0),
    ),
    Planted(
        "a dead letter with the payload",
        "dead_letter_wrong",
        lambda records: reletter(records, value="a name"),
    ),
    Planted(
        "an exemption lay in Kafka before timers that acted as if it did not",
        "input_overtaken",
        lambda records: entered_before(records, "account-changes", 9 * DAY, account_id="a14"),
    ),
    Planted(
        "restricted under a label that is not covered",
        "acted_on_untouchable",
        reword("category-changes", setting(account_id="a9"), category="日常生活"),
    ),
    Planted(
        "a consent that a new notice should have ended",
        "consent_not_voided",
        unsay("consent.voided", reason="notice", account_id="l3"),
        "milder",
    ),
    Planted(
        "a brake that was read and not obeyed",
        "acted_during_brake",
        drop("switches", switch="adverse_off", on=False),
    ),
]


def at_once(records: Records, event: str, account_id: str) -> Records:
    """The first two such events of an account, both told at the instant of the second."""
    told = [value(it) for it in records if value(it).get("event") == event]
    first, second = [it for it in told if it["account_id"] == account_id][:2]
    change = setting(decided_at=second["decided_at"])
    return edit(event, change, event_id=first["event_id"])(records)


def reletter(records: Records, **fields: Any) -> Records:
    """The first dead letter with other fields."""
    for index, record in enumerate(records):
        if record.topic == "dead-letters":
            done = put(record, value(record) | fields)
            return [*records[:index], done, *records[index + 1 :]]
    raise AssertionError("nothing was refused")


def entered_before(records: Records, topic: str, by: int, **wanted: Any) -> Records:
    """The first such input entered so much earlier, and was read when it was."""
    for index, record in enumerate(records):
        plain = value(record) if record.topic == topic else {}
        if plain and all(plain.get(k) == v for k, v in wanted.items()):
            done = record._replace(timestamp=record.timestamp - by)
            return [*records[:index], done, *records[index + 1 :]]
    raise AssertionError(f"nothing in {topic} is {wanted}")


def relog_letter(records: Records, topic: str, offset: int) -> Records:
    """The first dead letter of a topic speaks of another record."""
    for index, record in enumerate(records):
        plain = value(record) if record.topic == "dead-letters" else {}
        if plain.get("topic") == topic:
            plain["offset"] = offset
            return [*records[:index], put(record, plain), *records[index + 1 :]]
    raise AssertionError(f"nothing of {topic} was refused")
