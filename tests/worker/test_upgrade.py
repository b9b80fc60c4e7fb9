"""A cluster that version 0.1.0 filled is taken up by the present one: nobody is restricted, invited
twice or forgotten.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.commands import byline
from tests.worker.harness import ROOT, Estate, utc_now
from tests.worker.old_version import built
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

LONG, SHORT = "weibo", "douyin"
"""Two platforms: on the first nobody's time runs out, on the second everybody's does at once."""

ACCOUNTS = {
    "invited": LONG,
    "undelivered": LONG,
    "delivered": LONG,
    "declined": LONG,
    "granted": LONG,
    "withdrawing": LONG,
    "held": LONG,
    "appealed": LONG,
    "exempt": LONG,
    "closed": LONG,
    "restricted": SHORT,
    "silent": SHORT,
}

Events = dict[str, list[dict[str, Any]]]


def _who(account: str) -> dict[str, Any]:
    return {"platform": ACCOUNTS.get(account, LONG), "account_id": account}


class UpgradedLife:
    """Says things about accounts, with the ids of their invitations."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.controls = 0

    def over_the_line(self, account: str) -> None:
        """A covered label and a count over the line."""
        label = {**_who(account), "category": "财经", "observed_at": utc_now()}
        self.estate.put("category-changes", label)
        count = {**_who(account), "followers": 1_500_000, "observed_at": utc_now()}
        self.estate.put("follower-counts", count)

    def receipt(self, account: str, outcome: str) -> None:
        """The notifier's word on the newest invitation."""
        key = f"{_who(account)['platform']}:{account}"
        issued = [e for e in self.estate.events()[key] if e["event"] == "invitation.issued"]
        receipt = {**_who(account), "invitation_id": issued[-1]["invitation_id"]}
        receipt |= {"outcome": outcome, "occurred_at": utc_now()}
        self.estate.put("notice-receipts", receipt)

    def answer(self, account: str, answer: str) -> None:
        """The owner's word."""
        said = {**_who(account), "answer": answer, "occurred_at": utc_now()}
        self.estate.put("consent-answers", said)

    def control(self, account: str, command: str) -> None:
        """An operator's word."""
        self.controls += 1
        word = {**_who(account), "control_id": f"c-{self.controls}", "command": command}
        word |= {"actor": "op.1", "reason": "test", "issued_at": utc_now()}
        self.estate.put("controls", word)

    def change(self, account: str, change: str) -> None:
        """What happened to the account."""
        self.estate.put(
            "account-changes", {**_who(account), "change": change, "observed_at": utc_now()}
        )


def _fill(estate: Estate) -> UpgradedLife:
    """Bring an account into every state that 0.1.0 knows."""
    life = UpgradedLife(estate)
    for account in ACCOUNTS:
        life.over_the_line(account)
    estate.wait_for(len(ACCOUNTS))
    life.receipt("undelivered", "failed")
    for account in ("delivered", "declined", "granted", "withdrawing", "held", "appealed"):
        life.receipt(account, "delivered")
    for account in ("restricted", "silent"):
        life.receipt(account, "delivered")
    estate.drain()
    life.answer("declined", "declined")
    for account in ("granted", "withdrawing"):
        life.answer(account, "granted")
    life.control("held", "hold")
    life.control("appealed", "appeal_opened")
    life.change("exempt", "exempted")
    life.change("closed", "closed")
    estate.drain()
    # Two surfaces each: issued, delivered, expired, applied, applied.
    events = estate.wait_for(32)
    assert [e["event"] for e in events[f"{SHORT}:restricted"]][-2:] == ["throttle.applied"] * 2
    return life


def _names(events: Events, account: str, since: Events) -> list[str]:
    """What was said of an account after the upgrade."""
    key = f"{_who(account)['platform']}:{account}"
    return [event["event"] for event in events.get(key, [])[len(since.get(key, [])) :]]


def _upgrade(estate: Estate) -> None:
    """The steps of the README."""
    for worker in estate.workers:
        assert worker.stop() == 0
    estate.workers.clear()
    estate.code = ROOT
    refused = byline(estate, "worker")
    assert refused.returncode == 2, refused.stderr
    assert "byline topics apply" in refused.stderr
    assert byline(estate, "topics", "create", "--partitions", "4").returncode == 0
    planned = byline(estate, "topics", "apply", "--dry-run")
    assert "LogAppendTime" in planned.stdout, planned.stdout + planned.stderr
    assert byline(estate, "topics", "check").returncode == 1
    applied = byline(estate, "topics", "apply")
    assert applied.returncode == 0, applied.stdout
    checked = byline(estate, "topics", "check")
    assert checked.returncode == 0, checked.stdout
    estate.start(2)


def test_a_cluster_of_0_1_0_is_taken_up(
    make_old_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    texts = {LONG: policy(LONG), SHORT: policy(SHORT, window="PT1S")}
    estate = make_old_estate(texts, built(tmp_path / "old"))
    life = _fill(estate.start(2))
    before = estate.events()
    _upgrade(estate)
    estate.drain()
    time.sleep(3)
    assert estate.events() == before, "taking the state up says nothing to anybody"

    for account in ACCOUNTS:
        if account != "closed":
            life.over_the_line(account)
    estate.drain()
    time.sleep(2)
    assert estate.events() == before, "nobody is invited twice"

    life.receipt("invited", "delivered")
    life.control("undelivered", "reissue")
    for account in ("delivered", "declined", "silent"):
        life.answer(account, "granted")
    life.answer("withdrawing", "withdrawn")
    life.control("held", "unhold")
    life.control("appealed", "appeal_rejected")
    life.control("restricted", "lift")
    life.over_the_line("newcomer")
    estate.drain()
    time.sleep(2)
    after = estate.events()
    said = {account: _names(after, account, before) for account in (*ACCOUNTS, "newcomer")}
    lifted = ["throttle.lifted"] * 2
    assert said == {
        "invited": ["invitation.delivered"],
        "undelivered": ["invitation.issued"],
        "delivered": ["consent.granted"],
        "declined": ["consent.granted"],
        "granted": [],
        "withdrawing": ["consent.withdrawn"],
        "held": ["invitation.extended"],
        "appealed": ["invitation.extended"],
        "exempt": [],
        "closed": [],
        "restricted": lifted,
        "silent": ["consent.granted", *lifted],
        "newcomer": ["invitation.issued"],
    }
