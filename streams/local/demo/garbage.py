"""Records that Byline must refuse, and records with planted names that it must not copy.

There is a name in every kind of place: a known name field, an id, a key, a label that no policy
maps, an unknown field, text that is not JSON, a record that is too large, an id of no invitation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.enums import Refused
from schemas.inputs import InputName
from streams.local.demo.chance import Chance

PLANTED = ("王小明植", "Wang-Xiaoming-Planted", "11010519491231002X")
"""Two names and an identity number (its check digit holds; it belongs to nobody)."""
NAME, LATIN, NUMBER = PLANTED
FOLLOWERS = 3_000_000
SENTINEL = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Garbage:
    """A record to send at `at` seconds of the day.

    `reason`: why it must be refused; None: it is accepted, but has no effect. `wrong_partition`:
    send it to a partition that its key does not belong to.
    """

    at: float
    topic: InputName
    key: bytes
    value: bytes
    reason: Refused | None
    wrong_partition: bool = False


def garbage(chance: Chance, now: str, ahead: str) -> tuple[Garbage, ...]:
    """Returns all such records. `now`: the present time; `ahead`: one far in the future."""
    account = chance.account_id("weibo", "garbage")
    base: dict[str, Any] = {"platform": "weibo", "account_id": account}
    reading = {**base, "followers": FOLLOWERS, "observed_at": now}
    answer = {**base, "answer": "granted", "occurred_at": now}
    control = {
        **base,
        "command": "unhold",
        "reason": "test",
        "actor": "desk-9",
        "issued_at": now,
        "control_id": LATIN,
        "bulk_id": LATIN,
    }
    label = {**base, "category": NAME, "observed_at": now}
    receipt = {**base, "invitation_id": LATIN, "outcome": "delivered", "occurred_at": now}
    named = {**reading, "account_id": NAME}
    key = f"weibo:{account}"
    spoilt: list[tuple[InputName, str, Any, Refused | None]] = [
        ("follower-counts", key, f"{NAME} has many followers", Refused.NOT_JSON),
        ("consent-answers", key, '{"platform": "weibo", "account_id"', Refused.NOT_JSON),
        ("switches", "weibo:adverse_off", f"off! {LATIN}", Refused.NOT_JSON),
        ("follower-counts", key, {**reading, "followers": "a million"}, Refused.WRONG_TYPE),
        ("follower-counts", key, _without(reading, "observed_at"), Refused.MISSING_FIELD),
        ("controls", key, _without(control, "actor"), Refused.MISSING_FIELD),
        ("follower-counts", f"weibo:{NAME}", named, Refused.BAD_ID),
        ("follower-counts", f"weibo:{account[::-1]}", reading, Refused.KEY_MISMATCH),
        (
            "follower-counts",
            f"myspace:{account}",
            {**reading, "platform": "myspace"},
            Refused.UNKNOWN_PLATFORM,
        ),
        ("follower-counts", key, {**reading, "followers": -5}, Refused.OUT_OF_RANGE),
        ("follower-counts", key, {**reading, "followers": 10**11}, Refused.OUT_OF_RANGE),
        ("follower-counts", key, {**reading, "observed_at": ahead}, Refused.TIME_AHEAD),
        ("category-changes", key, {**label, "observed_at": SENTINEL}, Refused.TIME_BEFORE_2005),
        ("category-changes", key, {**label, "remark": NAME * 20_000}, Refused.TOO_LARGE),
        ("follower-counts", key, {**reading, "real_name": NAME}, Refused.NAME_FIELD),
        ("category-changes", key, {**label, "姓名": NAME}, Refused.NAME_FIELD),
        ("consent-answers", key, {**answer, "id_number": NUMBER}, Refused.NAME_FIELD),
        ("notice-receipts", key, {**receipt, "nickname": LATIN}, Refused.NAME_FIELD),
        ("category-changes", key, label, None),
        ("follower-counts", key, {**reading, "remark": f"{NAME} {NUMBER}"}, None),
        ("notice-receipts", key, receipt, None),
        ("consent-answers", key, {**answer, "notice_version": LATIN}, None),
        ("consent-answers", key, {**answer, "occurred_at": ahead}, None),
        ("controls", key, control, None),
    ]
    records = [
        Garbage(2.0 + 0.5 * number, topic, record_key.encode(), _bytes(value), reason)
        for number, (topic, record_key, value, reason) in enumerate(spoilt)
    ]
    elsewhere = Garbage(
        5.2, "follower-counts", key.encode(), _bytes(reading), Refused.WRONG_PARTITION, True
    )
    return (*records, elsewhere)


def _without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


def _bytes(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode()
