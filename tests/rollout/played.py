"""A roll-out as it is lived: accounts of the wanted buckets led through the shipped core.

Who bounces, declines, or has an appeal upheld is drawn with a seed. What comes out, and the words
that went in, are the records that an indexer would read.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.enums import Mode
from schemas.inputs import InputName
from streams.core.model.ids import bucket, invitation_id
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.model.ports import ACCOUNTS
from streams.lives.partition import Input, SentRecord, SimulatedPartition
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import Record, millis
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, START


class PlayedRates(NamedTuple):
    """How often what befalls an account of a group. `silent`: no receipt comes at all."""

    undelivered: float = 0.1
    declined: float = 0.1
    upheld: float = 0.1
    silent: float = 0.0


def ids(count: int, first: int, last: int, name: str = "u") -> list[str]:
    """So many account ids in buckets `first` to `last`."""
    found, number = [], 0
    while len(found) < count:
        account = f"{name}{number}"
        if first <= bucket(PLATFORM, account) <= last:
            found.append(account)
        number += 1
    return found


class Played:
    """A partition and everything that lay in its topics."""

    def __init__(self, policy: Policy, now: int = START) -> None:
        self._sent: list[tuple[SentRecord, int]] = []
        self._inputs: list[Record] = []
        self._offsets: dict[str, int] = defaultdict(int)
        self._published: dict[str, bytes] = {policy.digest: policy.canonical}
        self.part: SimulatedPartition | None = None
        self._now = now
        self.part = SimulatedPartition({PLATFORM: policy}, self._sink, now)

    def _sink(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        now = self._now if self.part is None else self.part.now
        self._sent.append((SentRecord(topic, key, value), now))

    @property
    def now(self) -> int:
        """The clock."""
        assert self.part is not None
        return self.part.now

    def publish(self, policy: Policy) -> None:
        """A worker starts with another policy, and ends before it takes it up."""
        self._published[policy.digest] = policy.canonical

    def take_up(self, policy: Policy) -> None:
        """Another policy from now on."""
        self.publish(policy)
        assert self.part is not None
        self.part.take_up({PLATFORM: policy})
        self.part.run_timers()

    def wait(self, length: int) -> None:
        """Time passes."""
        assert self.part is not None
        self.part.until(self.part.now + length)

    def say(self, topic: InputName, values: Iterable[Mapping[str, Any]]) -> None:
        """Inputs of now."""
        assert self.part is not None
        given: list[Input] = []
        for value in values:
            full = {"platform": PLATFORM, **value}
            key, raw = f"{PLATFORM}:{value['account_id']}".encode(), json.dumps(full).encode()
            given.append((topic, key, raw))
            place = (topic, 0, self._offsets[topic], self.now)
            self._inputs.append(Record(*place, key, raw, appended=True))
            self._offsets[topic] += 1
        self.part.put(given)
        self.part.run_timers()

    def rise(self, accounts: Iterable[str], followers: int = 2_000) -> None:
        """They come over the line, and have been over it for as long as it takes."""
        at = rfc3339(self.now)
        named = list(accounts)
        labels = [{"account_id": it, "category": "财经", "observed_at": at} for it in named]
        self.say("category-changes", labels)
        counts = [{"account_id": it, "followers": followers, "observed_at": at} for it in named]
        self.say("follower-counts", counts)
        self.wait(2 * HOUR)

    def answer(self, accounts: Iterable[str], rates: PlayedRates, chance: random.Random) -> None:
        """Of each what it draws: a receipt, a refusal a day later, an appeal upheld two days on."""
        named = list(accounts)
        drawn = {it: [chance.random() for _ in range(4)] for it in named}
        at = rfc3339(self.now)
        receipts = []
        for it in named:
            if drawn[it][3] >= rates.silent:
                failed = drawn[it][0] < rates.undelivered
                outcome = {"outcome": "failed", "failure": "blocked"} if failed else _DELIVERED
                number = invitation_id(PLATFORM, it, Mode.ENFORCE, 1)
                told = {"invitation_id": number, "occurred_at": at, **outcome}
                receipts.append({"account_id": it, **told})
        self.say("notice-receipts", receipts)
        self.wait(DAY)
        at = rfc3339(self.now)
        said = [it for it in named if drawn[it][1] < rates.declined]
        word = {"answer": "declined", "occurred_at": at}
        self.say("consent-answers", [{"account_id": it, **word} for it in said])
        self.wait(DAY)
        right = [it for it in named if drawn[it][2] < rates.upheld]
        for command in ("appeal_opened", "appeal_upheld"):
            self.say("controls", [self.control(it, command) for it in right])
            self.wait(MINUTE)

    def control(self, account: str, command: str, mark: str = "") -> Mapping[str, Any]:
        """An operator's word of now, for a reason of an appeal."""
        return {
            "account_id": account,
            "control_id": f"{account}-{command}{mark}",
            "command": command,
            "appeal_id": f"{account}-1",
            "actor": "op.1",
            "reason": "appeal",
            "issued_at": rfc3339(self.now),
        }

    def records(self) -> list[Record]:
        """All that an indexer would read."""
        assert self.part is not None
        self.part.close()
        found = [
            Record("policies", 0, number, 0, digest.encode(), text)
            for number, (digest, text) in enumerate(self._published.items())
        ]
        found += [it for it in self._inputs if it.topic not in _NOT_READ]
        offsets: dict[str, int] = defaultdict(int)
        for it, now in self._sent:
            plain = json.loads(it.value or b"{}")
            at = plain.get("decided_at") or plain.get("now") or plain.get("refused_at")
            stamp = millis(at) if at else now
            found.append(Record(it.topic, 0, offsets[it.topic], stamp, it.key, it.value))
            offsets[it.topic] += 1
        state = self.part.memory.state[ACCOUNTS].items()
        found += [
            Record(CHANGELOG, 0, number, self.now, key, value)
            for number, (key, value) in enumerate(state)
        ]
        return found


_DELIVERED = {"outcome": "delivered"}
_NOT_READ = frozenset({"follower-counts", "category-changes", "switches"})
