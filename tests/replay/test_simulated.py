"""Given a history of workers in simulated time, when it is replayed, then the same comes out."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from streams.core.log import events
from streams.core.model.policy import Policy
from streams.policies import load_policies
from streams.replay.records import RecordsInMemory
from tests.chaos import replaying, sending
from tests.chaos import simulated as sim
from tests.chaos.book import Book
from tests.chaos.replaying import ChaosReplay
from tests.chaos.simulated import Laziness, simulate
from tests.chaos.traffic import TrafficRates
from tests.oracle.records import OracleRecord

RATES = TrafficRates(readings=5.0, lives=4.0, crowd=100, brakes_every=10.0)
LAZY = Laziness(sleeps=0.004, opens=0.01, looks=0.6, changes=0.005)


@cache
def _history(seed: int) -> Book:
    """Late workers, new workers, pieces of rounds, a cluster that changes; nothing is refused."""
    garbage, sending.GARBAGE = sending.GARBAGE, 0.0
    try:
        return simulate(seed, 30.0, 2, RATES, LAZY, settle_seconds=40.0)[0]
    finally:
        sending.GARBAGE = garbage


def _copy(book: Book) -> Book:
    topics = {
        name: {number: list(own) for number, own in shelf.items()}
        for name, shelf in book.topics.items()
    }
    return Book(book.partitions, topics)


@pytest.mark.slow
def test_two_replays_of_one_history_give_the_same_digests_and_nothing_differs() -> None:
    book = _history(31)
    twice = [[ChaosReplay(book, number) for number in range(2)] for _ in range(2)]
    assert [[replay.run() for replay in once] for once in twice] == [[[], []], [[], []]]
    first, second = ([replay.found.as_dict() for replay in once] for once in twice)
    assert first == second
    assert sum(it["events"] for it in first) == len(book.outputs) > 300
    assert len({it["sha256"] for it in first}) == 2


@pytest.mark.parametrize("seed", [31, 33, 39])
@pytest.mark.parametrize("count", [3, 64])
@pytest.mark.slow
def test_on_another_number_of_partitions_every_account_is_told_the_same(
    seed: int, count: int
) -> None:
    book = _history(seed)
    replays = [ChaosReplay(book, number, count) for number in range(2)]
    assert [replay.run() for replay in replays] == [[], []]
    for replay in replays:
        assert replay.elsewhere is not None
        assert (replay.elsewhere.difference, replay.elsewhere.binds) == (None, None)
        assert replay.elsewhere.events == replay.found.events > 100


def test_where_a_guard_trips_it_says_that_it_cannot_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "GARBAGE", 0.4)
    lazy = Laziness(sleeps=0.004, opens=0.01, looks=0.6, changes=0.0)
    book = simulate(10, 30.0, 2, RATES, lazy, settle_seconds=40.0)[0]
    replays = [ChaosReplay(book, number, 3) for number in range(2)]
    assert [replay.run() for replay in replays] == [[], []]
    told = [replay.elsewhere for replay in replays if replay.elsewhere is not None]
    assert [it.difference for it in told] == [None, None]
    assert any((it.binds or "").startswith("the refusal guard of ") for it in told)


@pytest.mark.slow
def test_where_a_cap_binds_it_says_so_whoever_has_the_smaller_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def capped(*words: object, **named: object) -> dict[str, Policy]:
        policies = load_policies(*words, **named)
        return {name: replace(it, invitations_per_day=30) for name, it in policies.items()}

    monkeypatch.setattr(sim, "load_policies", capped)
    monkeypatch.setattr(replaying, "load_policies", capped)
    monkeypatch.setattr(sending, "GARBAGE", 0.0)
    book = simulate(31, 30.0, 2, RATES, LAZY, settle_seconds=40.0)[0]
    replays = [ChaosReplay(book, number, 5) for number in range(2)]
    assert [replay.run() for replay in replays] == [[], []], "a live cap replays alike"
    for replay in replays:
        assert replay.elsewhere is not None
        assert replay.elsewhere.difference is None
        assert (replay.elsewhere.binds or "").startswith("a cap of ")
        assert 0 < replay.elsewhere.events < replay.found.events


def test_a_core_that_decides_otherwise_is_told_by_place_and_both_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = _history(31)
    monkeypatch.setattr(events.ids, "derive", lambda *words, **named: "0" * 32)
    replay = ChaosReplay(book, 0)
    (breach,) = replay.run()
    found = replay.found.difference
    assert found is not None
    assert found.topic.endswith("decisions")
    assert found.place in breach
    assert f'"event_id":"{"0" * 32}"' in (found.replayed or "")
    written = book.of("decisions", 0)[found.offset or 0].value
    assert (found.written or "").encode() == written
    assert "it would have been decided otherwise" in breach


def _changed(name: str, change: Callable[[list[OracleRecord]], None]) -> ChaosReplay:
    """The replay of partition 0, with one topic of the recording changed."""
    book = _copy(_history(31))
    change(book.topics[name][0])
    replay = ChaosReplay(book, 0)
    assert replay.run()
    return replay


def test_an_event_that_is_changed_missing_or_more_than_were_sent_is_found_at_its_offset() -> None:
    def change(own: list[OracleRecord]) -> None:
        own[3] = replace(own[3], value=b"{}")

    changed = _changed("invitations", change).found.difference
    assert changed is not None
    assert (changed.offset, changed.written) == (3, "{}")
    assert '"event":"invitation.' in (changed.replayed or "")
    headers = _changed("invitations", lambda own: own.__setitem__(3, replace(own[3], headers={})))
    assert headers.found.difference is not None
    assert headers.found.difference.why == "its headers differ"
    short = _changed("invitations", lambda own: own.pop()).found.difference
    assert short is not None
    assert (short.offset, short.why) == (None, "it is missing")
    more = _changed("invitations", lambda own: own.append(own[-1])).found.difference
    assert more is not None
    assert more.why == "replay has no such record"
    mark = b'{"settled":"dismissed","topic":"controls"}'
    book = _copy(_history(31))
    sim.append(book, "dead-letters", 0, b"k", mark, 0.0)
    assert ChaosReplay(book, 0).run() == [], "what a person settles is no worker's"


def test_what_kafka_no_longer_holds_is_missing_and_not_different() -> None:
    gone = _changed("consent-answers", lambda own: own.pop(0)).found
    assert gone.difference is None
    assert "consent-answers[0]: offsets 0 to" in (gone.missing or "")
    log = _changed("decisions", lambda own: own.__delitem__(slice(0, 5))).found
    assert "does not begin with its beginning" in (log.missing or "")


def test_a_difference_behind_a_hole_of_compaction_is_not_held_against_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replay = ChaosReplay(_history(31), 0)
    monkeypatch.setattr(RecordsInMemory, "lost", "byline.follower-counts[0]: offsets 3 to 4")
    assert replay.run() == [], "what comes out alike is alike, whatever is gone"
    monkeypatch.setattr(events.ids, "derive", lambda *words, **named: "0" * 32)
    replay = ChaosReplay(_history(31), 0)
    (breach,) = replay.run()
    assert replay.found.difference is None
    assert "offsets 3 to 4 are not there any more" in breach


def test_an_input_that_was_passed_over_though_it_had_something_to_say_is_found() -> None:
    found = _changed("decisions", lambda own: own.__delitem__(slice(-400, None))).found
    assert found.difference is not None
    assert "the inputs behind the log's end have an effect" in found.difference.why or (
        found.difference.why == "replay has no such record"
    )
