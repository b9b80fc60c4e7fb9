"""A partition of the core in memory, with a clock that the test moves: given, when, then.

World-building only: the core under test is the shipped one, its ledger a few dictionaries.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import msgspec

from schemas.enums import Field, Level, Mode, Surface
from streams.core.inputs.checker import Partitioner
from streams.core.model.account import Account, decode_account
from streams.core.model.ids import invitation_id
from streams.core.model.instants import milliseconds, rfc3339
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import (
    Consequence,
    Notice,
    Phase,
    Policy,
    Restriction,
    Stability,
)
from streams.core.model.ports import ACCOUNTS, Headers
from streams.core.partition import Partition, PartitionEnvironment

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
START = milliseconds(datetime(2024, 1, 1, tzinfo=UTC))
PLATFORM, ACCOUNT = "weibo", "a1"
NOT_EVENTS = ("decisions", "dead-letters", "switches")


class GivenRecord(NamedTuple):
    """A record as the engine hands it over; its topic says LogAppendTime unless a test says not."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1


class Tables(StateInMemory):
    """State and outputs in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[tuple[str, bytes | None, dict[str, Any], Headers]] = []
        self.raw: list[tuple[str, bytes | None, bytes | None, Headers]] = []

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        self.raw.append((topic, key, value, headers))
        self.outputs.append((topic, key, json.loads(value or b"null"), headers))


def policy(**changes: Any) -> Policy:
    """A policy in enforce: one line of 1,000, a dwell of one hour, three days to answer."""
    base = Policy(
        platform=PLATFORM,
        version=1,
        mode=Mode.ENFORCE,
        notice=Notice("weibo-notice", "1", False, 3 * DAY, (DAY,)),
        impact_assessment="pia-1",
        approvals=(),
        phases=(Phase("first", 1000, START - 30 * DAY, None, None),),
        covered=None,
        labels={"财经": Field.FINANCE, "法律": Field.LAW},
        exempt_labels=frozenset({"日常生活"}),
        stability=Stability(HOUR, 900_000, 7 * DAY, 10 * DAY, None),
        consequence=Consequence(
            {
                Surface.RECOMMEND_FEED: Restriction(Level.LIMITED, None),
                Surface.TIPS: Restriction(Level.OFF, None),
            },
            frozenset({"declined", "no_answer"}),
            5 * DAY,
            20 * DAY,
        ),
        keep_on_fall_below=False,
        invitations_per_day=1000,
        throttles_per_hour=1000,
        rollout_percent=100,
        guards=None,
    )
    return replace(base, **changes)


def stability(**changes: Any) -> Stability:
    """The stability of `policy()`, changed."""
    return replace(policy().stability, **changes)


class Day:
    """A partition, its clock, and the records that went in and came out."""

    def __init__(
        self,
        *policies: Policy,
        partition: int = 0,
        partition_count: int = 1,
        require_approvals: bool = False,
        partition_of: Partitioner | None = None,
    ) -> None:
        self.tables = Tables()
        self.rescan = frozenset({PLATFORM})
        self.id_key: bytes | None = None
        self.now = START
        self._offsets: dict[str, int] = defaultdict(int)
        self._partition = partition
        self._partition_count = partition_count
        self._partition_of = partition_of or (lambda _: partition)
        self._require_approvals = require_approvals
        self._seen = self._controls = 0
        self._entry: int | None = None
        self.open(*(policies or (policy(),)))

    def open(self, *policies: Policy) -> None:
        """Open the partition anew on its state, as after a restart."""
        world = PartitionEnvironment(
            policies={policy.platform: policy for policy in policies},
            partition_count=self._partition_count,
            partition_of=self._partition_of,
            require_approvals=self._require_approvals,
            full_name=lambda name: "byline." + name,
            rescan=self.rescan,
            id_key=self.id_key,
        )
        self.partition = Partition(world, self._partition, self.tables, self.now)
        self.partition.take_up(self.tables, self.now)

    # ---- when ----------------------------------------------------------------------------------

    def put(self, topic: str, key: str | None, value: Mapping[str, Any] | bytes | None) -> Self:
        """A raw record."""
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        raw = msgspec.json.encode(value) if isinstance(value, Mapping) else value
        entry, self._entry = self.now if self._entry is None else self._entry, None
        record = GivenRecord(offset, entry, None if key is None else key.encode(), raw)
        self.partition.step(self.tables, self.now, [(topic, [record])])  # type: ignore[list-item]
        self.partition.before_commit(self.tables, self.now, dict(self._offsets))
        return self

    def entered(self, at: int) -> Self:
        """The next record entered Kafka at an instant, and is read now."""
        self._entry = at
        return self

    def _account(self, topic: str, account: str, **value: Any) -> Self:
        platform = value.pop("platform", PLATFORM)
        filled = {"platform": platform, "account_id": account, **value}
        return self.put(topic, f"{platform}:{account}", filled)

    def reads(
        self, followers: int, account: str = ACCOUNT, at: int | None = None, **more: Any
    ) -> Self:
        """A reading, observed now or at an instant."""
        observed_at = rfc3339(self.now if at is None else at)
        return self._account(
            "follower-counts", account, followers=followers, observed_at=observed_at, **more
        )

    def label(
        self, category: str | None, account: str = ACCOUNT, at: int | None = None, **more: Any
    ) -> Self:
        """A label; None removes it."""
        if category is None:
            return self.put("category-changes", f"{PLATFORM}:{account}", None)
        observed_at = rfc3339(self.now if at is None else at)
        return self._account(
            "category-changes", account, category=category, observed_at=observed_at, **more
        )

    def change(self, word: str, account: str = ACCOUNT, at: int | None = None) -> Self:
        """An account change."""
        observed_at = rfc3339(self.now if at is None else at)
        return self._account("account-changes", account, change=word, observed_at=observed_at)

    def receipt(
        self,
        outcome: str = "delivered",
        account: str = ACCOUNT,
        cycle: int = 1,
        at: int | None = None,
        **more: Any,
    ) -> Self:
        """The notifier's word on a cycle of the live life."""
        return self._account(
            "notice-receipts",
            account,
            invitation_id=invitation_id(PLATFORM, account, Mode.ENFORCE, cycle),
            outcome=outcome,
            occurred_at=rfc3339(self.now if at is None else at),
            **more,
        )

    def answer(self, word: str, account: str = ACCOUNT, at: int | None = None, **more: Any) -> Self:
        """The owner's word."""
        occurred_at = rfc3339(self.now if at is None else at)
        return self._account(
            "consent-answers", account, answer=word, occurred_at=occurred_at, **more
        )

    def control(
        self, command: str, account: str = ACCOUNT, at: int | None = None, **more: Any
    ) -> Self:
        """An operator's word."""
        self._controls += 1
        value = {
            "control_id": f"c{self._controls}",
            "command": command,
            "actor": "op",
            "reason": "test",
            "issued_at": rfc3339(self.now if at is None else at),
            **more,
        }
        return self._account("controls", account, **value)

    def switch(self, name: str, on: bool, scope: str = "*", at: int | None = None) -> Self:
        """A brake."""
        value = {
            "scope": scope,
            "switch": name,
            "on": on,
            "actor": "op",
            "reason": "incident",
            "issued_at": rfc3339(self.now if at is None else at),
        }
        return self.put("switches", f"{scope}:{name}", value)

    def run_timers(self, limit: int = 1000, as_of: int | None = None) -> Self:
        """Let every timer act that is due now, or was due by `as_of`."""
        before = len(self.tables.raw)
        until = self.now if as_of is None else as_of
        while self.partition.run_timers(self.tables, self.now, until, limit):
            pass
        if len(self.tables.raw) > before:
            self.partition.before_commit(self.tables, self.now, dict(self._offsets))
        return self

    def wait(self, milliseconds: int) -> Self:
        """Time passes; a punctual worker acts at each instant that is due."""
        end = self.now + milliseconds
        while True:
            due = self.partition.due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.run_timers()
        self.now = end
        return self

    # ---- then ----------------------------------------------------------------------------------

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        outputs = self.tables.outputs
        return [value for topic, _, value, _ in outputs if topic not in NOT_EVENTS]

    def fresh(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        outputs, self._seen = self.tables.outputs[self._seen :], len(self.tables.outputs)
        return [value for topic, _, value, _ in outputs if topic not in NOT_EVENTS]

    def said(self) -> list[str]:
        """The events since the last call, as words: `issued over_line`, `lifted tips granted`."""
        return [_words(event) for event in self.fresh()]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """The decision log."""
        return [value for topic, _, value, _ in self.tables.outputs if topic == "decisions"]

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """The refused inputs."""
        return [value for topic, _, value, _ in self.tables.outputs if topic == "dead-letters"]

    def account(self, account: str = ACCOUNT) -> Account:
        """The state kept of an account."""
        return decode_account(self.tables.state[ACCOUNTS][f"{PLATFORM}:{account}".encode()])


def _words(event: Mapping[str, Any]) -> str:
    name = event["event"].split(".")[1]
    surface = f" {event['surface']}" if "surface" in event else ""
    shadow = " (shadow)" if event["mode"] == "shadow" else ""
    return f"{name}{surface} {event['reason']}{shadow}"
