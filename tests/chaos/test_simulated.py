"""Late workers and tripping guards in simulated time: the judges agree with the core."""

from datetime import UTC, datetime

import pytest

from tests.chaos import sending
from tests.chaos.book import Book
from tests.chaos.checks import policies
from tests.chaos.comparing import follow
from tests.chaos.orders import check_orders
from tests.chaos.replaying import Replay
from tests.chaos.simulated import Laziness, simulate
from tests.chaos.traffic import Rates

RATES = Rates(readings=5.0, lives=4.0, crowd=100, brakes_every=10.0)


@pytest.mark.parametrize(("seed", "changes"), [(10, 0.0), (11, 0.02)])
def test_given_late_workers_and_refused_words_then_replay_model_and_orders_agree(
    seed: int, changes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`changes`: how often a worker sees the cluster change, of its ticks."""
    monkeypatch.setattr(sending, "GARBAGE", 0.4)
    lazy = Laziness(sleeps=0.004, opens=0.01, looks=0.6, changes=changes)
    book, until = simulate(seed, 30.0, 2, RATES, lazy, settle_seconds=40.0)
    end = datetime.fromtimestamp(until, UTC)
    replays = [Replay(book, number) for number in range(book.partitions)]
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
