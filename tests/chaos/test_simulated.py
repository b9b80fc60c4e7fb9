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
    """Reads all there is, and looks up to now."""

    def random(self) -> float:
        return 0.0

    def choice(self, seq: Any) -> Any:
        return seq[0]


def test_given_a_start_after_a_favourable_round_then_a_reissue_goes_with_its_word() -> None:
    """Seen in a run under fire: the look that the switch asked for ended with the first worker."""
    book = empty_book(1)
    hearing = SimpleNamespace(hear=lambda key, value: None)
    worker = SimulatedWorker(book, 0, cast(Traffic, hearing), FirstChoice())

    def enters(second: float, topic: str, **value: Any) -> None:
        key = "*:adverse_off" if "scope" in value else "weibo:a"
        head = {} if "scope" in value else {"platform": "weibo", "account_id": "a"}
        times = dict.fromkeys(("observed_at", "issued_at"), rfc3339(round((START + second) * 1000)))
        raw = json.dumps({**head, **times, **value}).encode()
        append(book, topic, 0, key.encode(), raw, START + second)

    def works(second: float, looks: bool = True) -> None:
        worker._work(round((START + second) * 1000), looks)
        worker._seal(round((START + second) * 1000))

    worker._open(round(START * 1000))
    enters(0, "category-changes", category="医疗")
    enters(0, "follower-counts", followers=800_000)
    works(0)
    works(3)
    who = {"actor": "desk-1", "reason": "test"}
    enters(4, "switches", scope="*", switch="adverse_off", on=True, **who)
    enters(4.5, "switches", scope="*", switch="adverse_off", on=False, **who)
    works(4.5, looks=False)
    worker._open(round((START + 5) * 1000))
    enters(6, "controls", control_id="c", command="reissue", **who)
    works(6)
    issued = [json.loads(one.value or b"")["reason"] for one in book.all(["invitations"])]
    assert issued == ["over_line", "reissued"]
    worker.changelog()
    breaches, _ = follow(book, policies(), datetime.fromtimestamp(START + 6, UTC))
    assert breaches == []
