"""What an operator is told: one line each, and few of them however much happens."""

import logging
from collections.abc import Callable

import pytest

from streams.news import News, WorkerNews

Said = Callable[[], list[str]]


class NewsClock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """What was said since it was asked last."""
    caplog.set_level(logging.INFO, "streams.news")

    def lines() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "streams.news"]
        caplog.clear()
        return found

    return lines


def test_a_policy_that_many_partitions_take_up_is_one_line(said: Said) -> None:
    news = News()
    for _ in range(8):
        news.adopted("weibo", 3, "d" * 64, "enforce")
    assert said() == ["policy of weibo taken up: version 3, mode enforce, digest dddddddddddd"]


def test_a_switch_is_obeyed_when_all_partitions_do_and_off_when_none_does(said: Said) -> None:
    news, brake = News(), frozenset({("weibo", "adverse_off")})
    news.look(WorkerNews(on=frozenset(), somewhere=brake))
    assert said() == []
    for _ in range(3):
        news.look(WorkerNews(on=brake, somewhere=brake))
    assert said() == ["switch adverse_off is on for weibo, and obeyed by all partitions here"]
    news.look(WorkerNews(on=frozenset(), somewhere=brake))
    assert said() == []
    news.look(WorkerNews())
    assert said() == ["switch adverse_off is off again for weibo in all partitions here"]


def test_a_guard_is_told_when_it_trips_and_when_it_is_reset(said: Said) -> None:
    news = News()
    for _ in range(4):
        news.committed({("refusals_tripped", "weibo", "controls", "not_json"): 1})
    (tripped,) = said()
    assert tripped.startswith("refusal guard of weibo tripped: not_json refused in controls")
    news.look(WorkerNews(tripped=frozenset({"weibo"})))
    assert said() == []
    news.look(WorkerNews())
    assert said() == ["refusal guard of weibo is reset: what was refused is settled"]

    news.committed({("guard_trips", "weibo", "undelivered"): 1})
    news.look(WorkerNews(closed={"weibo": 30.0}))
    assert said() == [
        "guard undelivered of weibo tripped: its adverse events wait for a quiet window"
    ]
    news.look(WorkerNews(closed={"weibo": 0.0}))
    assert said() == ["guard of weibo is reset: its window has passed quietly"]


def test_a_worker_that_finds_guards_tripped_says_so(said: Said) -> None:
    News().look(WorkerNews(tripped=frozenset({"weibo"}), closed={"douyin": 12.0}))
    assert said() == [
        "refusal guard of weibo is tripped: its adverse events wait",
        "a guard of douyin is tripped: its adverse events wait for 12 s more",
    ]


def test_refusals_are_told_by_reason_at_once_and_then_once_a_minute(said: Said) -> None:
    clock = NewsClock()
    news = News(clock)
    for _ in range(2_000):
        news.committed({("dead_letters", "controls", "not_json"): 1})
        news.look(WorkerNews())
    news.committed({("dead_letters", "controls", "bad_id"): 1})
    refused = "refused (dead-letters says where each lies): "
    assert said() == [f"{refused}1 not_json in controls"]
    clock.now += 61
    news.look(WorkerNews())
    assert said() == [f"{refused}1999 not_json in controls, 1 bad_id in controls"]
    clock.now += 61
    news.look(WorkerNews())
    assert said() == []


def test_a_field_with_a_name_has_a_line_of_its_own(said: Said) -> None:
    news = News(NewsClock())
    news.committed({("dead_letters", "consent-answers", "name_field"): 2})
    news.look(WorkerNews())
    assert said() == [
        "refused, they carry a field that names a person: 2 in consent-answers",
        "refused (dead-letters says where each lies): 2 name_field in consent-answers",
    ]


def test_lag_is_told_when_it_grows_doubles_and_is_over(said: Said) -> None:
    clock = NewsClock()
    news = News(clock)
    for seconds in (1, 9, 10, 12, 19, 20, 30, 39, 41, 12, 3):
        clock.now += 10
        news.look(WorkerNews(lags={"controls": (seconds * 100, float(seconds))}))
    assert said() == [
        "controls: 1000 records, 10 s behind",
        "controls: 2000 records, 20 s behind",
        "controls: 4100 records, 41 s behind",
    ]
    news.look(WorkerNews(lags={"controls": (0, 0.0)}))
    assert said() == ["controls: caught up, after 90 s"]
