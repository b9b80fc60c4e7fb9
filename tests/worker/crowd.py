"""Accounts by the hundred, and the platform's own systems around them: collector and notifier."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.worker.harness import Estate, Out, utc_now

Heard = Callable[[dict[str, Any]], None]


def instant(text: str) -> float:
    """A time of the wire in seconds."""
    return datetime.fromisoformat(text).timestamp()


class Crowd:
    """Sends inputs about accounts of one platform, `a0`, `a1`, …; each crosses the line once."""

    def __init__(self, estate: Estate, platform: str = "weibo") -> None:
        self.estate, self.platform = estate, platform
        self.count = 0
        self.issued: dict[str, dict[str, Any]] = {}

    def say(self, topic: str, account: str, **fields: Any) -> None:
        """An input of one account."""
        self.estate.put(topic, {"platform": self.platform, "account_id": account, **fields})

    def crosses(self) -> str:
        """One more account gets its label and has two million followers."""
        account, now = f"a{self.count}", utc_now()
        self.count += 1
        self.say("category-changes", account, category="财经", observed_at=now)
        self.say("follower-counts", account, followers=2_000_000, observed_at=now)
        return account

    def answers(self, account: str, answer: str) -> None:
        """The owner's word, now."""
        self.say("consent-answers", account, answer=answer, occurred_at=utc_now())

    def hears(self, record: Out | None, outcome: str = "delivered") -> dict[str, Any] | None:
        """What was read of the invitations: an issue is delivered (or bounces) at once."""
        if record is None or record.json["platform"] != self.platform:
            return None
        event = record.json
        if event["event"] == "invitation.issued":
            account = event["account_id"]
            self.issued[account] = event
            more = {"failure": "unreachable"} if outcome == "failed" else {}
            receipt = {"invitation_id": event["invitation_id"], "outcome": outcome, **more}
            self.say("notice-receipts", account, occurred_at=utc_now(), **receipt)
        return event
