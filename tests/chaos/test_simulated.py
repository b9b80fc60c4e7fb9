"""Late workers and tripping guards in simulated time: the judges agree with the core."""

import json
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.core.limits.settling import Settling
from streams.core.model.instants import rfc3339
from tests.chaos import sending
from tests.chaos.book import Book
from tests.chaos.checks import policies
from tests.chaos.comparing import follow
from tests.chaos.harsh import harsh
from tests.chaos.orders import check_orders
from tests.chaos.replaying import ChaosReplay
from tests.chaos.simulated import (
    START,
    Laziness,
    SimulatedWorker,
    append,
    empty_book,
    simulate,
)
from tests.chaos.traffic import Traffic, TrafficRates

pytestmark = pytest.mark.slow

RATES = TrafficRates(readings=5.0, lives=4.0, crowd=100, brakes_every=10.0)


@pytest.mark.parametrize(("seed", "changes"), [(10, 0.0), (11, 0.02)])
def test_given_late_workers_and_refused_words_then_replay_model_and_orders_agree(
    seed: int, changes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`changes`: how often a worker sees the cluster change, of its ticks."""
    monkeypatch.setattr(sending, "GARBAGE", 0.4)
    lazy = Laziness(sleeps=0.004, opens=0.01, looks=0.6, changes=changes)
    book, until = simulate(seed, 30.0, 2, RATES, lazy, settle_seconds=40.0)
    end = datetime.fromtimestamp(until, UTC)
    replays = [ChaosReplay(book, number) for number in range(book.partitions)]
    assert [replay.run() for replay in replays] == [[], []]
    breaches, events = follow(book, policies(), end)
    assert breaches == []
    assert events > 300
    counts: dict[str, int] = {}
    assert check_orders(book, policies(), end, counts) == []
    assert sum(len(replay.trips) for replay in replays) >= 2
    assert _noted(book, b'"favourable_only":true') > 5
    assert (_noted(book, b'"cluster_changed"') > 0) is (changes > 0)


def _noted(book: Book, words: bytes) -> int:
    """Of how many transactions the log says this."""
    return sum(words in (one.value or b"") for one in book.all(["decisions"]))


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(10001, id="a leaving that waited while the clock stood still"),
        pytest.param(10141, id="a brake that is told before an account is known"),
        pytest.param(10192, id="a deadline and its receipt in one transaction"),
        pytest.param(10226, id="a reissue read together with a switch"),
        pytest.param(20031, id="a switch that is older than the trip before it"),
        pytest.param(20073, id="a reissue after a switch and a receipt"),
        pytest.param(20072, id="a dwell that ends while something else defers"),
        pytest.param(20162, id="an extension before a pause"),
        pytest.param(20672, id="a brake at the opening of a partition"),
    ],
)
def test_given_workers_that_sleep_and_start_anew_then_the_model_says_what_the_core_does(
    seed: int,
) -> None:
    breaches, events = harsh(seed)
    assert breaches == []
    assert events > 300


def test_given_a_core_that_forgets_a_pause_then_the_model_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Settling, "stops", lambda self, platform: [])
    assert any("expired with the deadline" in breach for breach in harsh(20031)[0])


class FirstChoice(Random):
    """Reads all there is; looks up to `behind` milliseconds ago, at so many accounts a round."""

    def __init__(self, limit: int = 1_000) -> None:
        super().__init__()
        self.limit, self.behind = limit, 0

    def random(self) -> float:
        return 0.0

    def choice(self, seq: Any) -> Any:
        return self.limit if 1_000 in seq else self.behind


class ToldWorker:
    """One worker that does what it is told, second by second; `a` to `f` are invited at once."""

    def __init__(self, limit: int = 1_000, accounts: str = "a") -> None:
        self.book = empty_book(1)
        hearing = SimpleNamespace(hear=lambda key, value: None)
        self.dice = FirstChoice(limit)
        self.worker = SimulatedWorker(self.book, 0, cast(Traffic, hearing), self.dice)
        self.opens(0)
        for account in accounts:
            self.enters(0, "category-changes", account, category="医疗")
            self.enters(0, "follower-counts", account, followers=800_000)
        for second in range(4 + len(accounts)):
            self.works(second)

    def enters(self, second: float, topic: str, account: str = "a", **value: Any) -> None:
        key = f"*:{value['switch']}" if "scope" in value else f"weibo:{account}"
        head = {} if "scope" in value else {"platform": "weibo", "account_id": account}
        times = dict.fromkeys(("observed_at", "issued_at"), rfc3339(self._ms(second)))
        said = {**head, **times, **value}
        if topic in ("switches", "controls"):
            said |= {"actor": "desk-1", "reason": "test"}
        append(self.book, topic, 0, key.encode(), json.dumps(said).encode(), START + second)

    def opens(self, second: float) -> None:
        self.worker._open(self._ms(second))

    def works(self, second: float, looks: bool = True) -> None:
        self.worker._work(self._ms(second), looks)
        self.worker._seal(self._ms(second))

    def turns(self, second: float, on: bool, switch: str = "adverse_off") -> None:
        self.enters(second, "switches", scope="*", switch=switch, on=on)

    def reissues(self, second: float, account: str = "a") -> None:
        self.enters(second, "controls", account, control_id=account, command="reissue")

    def delivered(self, second: float, account: str = "a") -> None:
        said = (json.loads(it.value or b"") for it in self.book.all(["invitations"]))
        (mine, *_) = (it["invitation_id"] for it in said if it["account_id"] == account)
        times = {"occurred_at": rfc3339(self._ms(second))}
        value = {"invitation_id": mine, "outcome": "delivered", **times}
        self.enters(second, "notice-receipts", account, **value)

    def judged(self, until: float) -> tuple[list[tuple[str, str]], list[str]]:
        """Account and reason of each invitation; what the model says against it."""
        found = [json.loads(it.value or b"") for it in self.book.all(["invitations"])]
        self.worker.changelog()
        breaches, _ = follow(self.book, policies(), datetime.fromtimestamp(START + until, UTC))
        return [(it["account_id"], it["reason"]) for it in found], breaches

    def _ms(self, second: float) -> int:
        return round((START + second) * 1000)


def test_given_a_start_after_a_favourable_round_then_a_reissue_goes_with_its_word() -> None:
    """Seen in a run under fire: the look that the switch asked for ended with the first worker."""
    told = ToldWorker()
    told.turns(5, on=True)
    told.turns(5.5, on=False)
    told.works(5.5, looks=False)
    told.opens(6)
    told.reissues(7)
    told.works(7)
    assert told.judged(7) == ([("a", "over_line"), ("a", "reissued")], [])


@pytest.mark.parametrize(("account", "looked"), [("a", True), ("c", True), ("l", False)])
def test_given_a_round_that_looks_at_some_then_a_reissue_may_go_with_its_word(
    account: str, looked: bool
) -> None:
    """Seen in a run under fire: the log does not name whom a round that had more to do looked at.

    Those whom it looked at go at once. The others wait, and a delivery ends the waiting.
    """
    told = ToldWorker(3, "abcdefghijkl")
    told.turns(20, on=True)
    told.turns(20.5, on=False)
    told.works(20.5)
    told.reissues(21, account)
    told.works(21)
    told.delivered(21.5, account)
    told.works(21.5)
    issued, breaches = told.judged(22)
    assert breaches == []
    assert ((account, "reissued") in issued) is looked


@pytest.mark.parametrize(("account", "looked"), [("a", True), ("l", False)])
def test_given_a_round_that_looked_at_some_then_a_brake_that_ends_is_due_when_it_is_read(
    account: str, looked: bool
) -> None:
    """Seen in a run under fire: a round acts up to its instant, which the end of a brake was not.

    Whom a round that had more to do looked at has no timer before that end. For the others a
    look is due from before, and their notice is sent again.
    """
    told = ToldWorker(accounts="abcdefghijkl")
    told.turns(20, on=True)
    told.works(20)
    told.reissues(20.5, account)
    told.works(20.5)
    told.dice.limit = 3
    told.turns(21, on=True, switch="invitations_off")
    told.turns(21, on=False, switch="invitations_off")
    told.works(21)
    told.dice.limit, told.dice.behind = 1_000, 300
    told.turns(21.5, on=False)
    told.works(21.6)
    told.turns(21.7, on=True)
    told.works(21.7)
    told.delivered(22, account)
    told.works(22)
    issued, breaches = told.judged(22)
    assert breaches == []
    assert ((account, "reissued") in issued) is not looked
