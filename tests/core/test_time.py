"""When timers act: in due order, not before all inputs have been read, and however late."""

import random

import msgspec
import pytest

from schemas.inputs import INPUT_MODELS, InputName
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, START, Day, GivenRecord
from tests.core.states import DEADLINE, ISSUED, begun, brief, delivered, expired


def run_timers(day: Day, as_of: int) -> Day:
    """Let the timers act that are due by an instant."""
    while day.partition.run_timers(day.tables, day.now, as_of, 1):
        pass
    return day


def test_a_timer_waits_until_everything_has_been_read_up_to_its_instant() -> None:
    day = delivered()
    day.now = START + DEADLINE - HOUR
    assert run_timers(day, START + DEADLINE - DAY - 1).said() == []
    assert run_timers(day, START + DEADLINE - DAY).said() == ["reminded reminder"]
    day.now = START + DEADLINE + HOUR
    assert run_timers(day, START + DEADLINE - 1).said() == []
    day.answer("granted", at=START + DEADLINE)
    assert run_timers(day, day.now).said() == ["granted answer"]


def test_what_is_decided_late_says_when_it_was_decided() -> None:
    day = delivered()
    day.now = START + DEADLINE + HOUR
    said = run_timers(day, START + DEADLINE).said()
    assert said[0] == "expired no_answer", "a reminder after the deadline would be none"
    applied = day.events[-1]
    assert applied["decided_at"] == applied["effective_at"] == rfc3339(day.now)
    assert applied["expires_at"] == rfc3339(day.now + 20 * DAY)


def test_after_a_long_absence_grounds_that_vanished_restrict_nobody() -> None:
    day = delivered()
    day.now = START + 30 * DAY
    day.change("exempted", at=START + DAY)
    assert run_timers(day, day.now).said() == ["cancelled exempted"]
    day = begun()
    day.now = START + 30 * DAY
    day.reads(10, at=START + DAY)
    assert run_timers(day, day.now).said() == []


def test_an_end_that_passed_unseen_is_no_renewal() -> None:
    day = expired()
    day.now += 21 * DAY
    said = run_timers(day, day.now).said()
    assert said == ["lifted recommend-feed ended", "lifted tips ended"]


def test_timers_of_several_accounts_act_in_due_order() -> None:
    day = Day()
    names = ["c", "a", "b"]
    for name in names:
        day.label("财经", name).reads(1500, name).wait(MINUTE)
    day.now += DAY
    run_timers(day, day.now)
    assert [event["account_id"] for event in day.events] == names


def test_no_more_accounts_are_looked_at_than_asked() -> None:
    day = Day(brief())
    for name in ("a", "b", "c"):
        day.label("财经", name).reads(1500, name).receipt("delivered", name)
    day.now = START + 9 * DAY
    day.said()
    assert day.partition.run_timers(day.tables, day.now, day.now, 2)
    assert len([words for words in day.said() if words.startswith("expired")]) == 2
    assert not day.partition.run_timers(day.tables, day.now, day.now, 2)


def test_a_due_timer_is_no_news_when_nothing_follows_from_it() -> None:
    day = delivered().control("hold")
    logged = len(day.decisions)
    day.wait(30 * DAY)
    assert day.said() == []
    kinds = [record["kind"] for record in day.decisions[logged:]]
    assert kinds.count("decision") <= 2


TOPICS: list[InputName] = list(INPUT_MODELS)


def _value(draw: random.Random, topic: InputName, number: int) -> dict[str, object]:
    at = rfc3339(START + number * MINUTE)
    who = {"platform": PLATFORM, "account_id": ACCOUNT}
    if topic == "switches":
        switch, on = draw.choice(["adverse_off", "answers_paused"]), draw.random() < 0.5
        given = {"scope": "*", "switch": switch, "on": on, "actor": "op", "reason": "test"}
        return {**given, "issued_at": at}
    values: dict[InputName, dict[str, object]] = {
        "account-changes": {"change": draw.choice(["exempted", "exemption_ended"])},
        "controls": {
            "control_id": f"{topic}{number}",
            "command": draw.choice(["hold", "unhold", "lift", "reissue", "appeal_rejected"]),
            "actor": "op",
            "reason": "test",
        },
        "category-changes": {"category": draw.choice(["财经", "财经", "法律", "旅游"])},
        "follower-counts": {"followers": draw.choice([1500, 1500, 950, 20])},
        "notice-receipts": {
            "invitation_id": invitation_id(PLATFORM, ACCOUNT, "enforce", 1),
            "outcome": draw.choice(["delivered", "failed"]),
        },
        "consent-answers": {"answer": draw.choice(["granted", "declined", "withdrawn"])},
    }
    clock = {
        "controls": "issued_at",
        "notice-receipts": "occurred_at",
        "consent-answers": "occurred_at",
    }
    return {**who, **values[topic], clock.get(topic, "observed_at"): at}


@pytest.mark.parametrize("seed", range(60))
def test_what_is_read_together_means_what_it_means_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    batches: list[tuple[InputName, list[GivenRecord]]] = []
    for topic in TOPICS:
        records = []
        for offset in range(draw.randrange(4)):
            value = _value(draw, topic, offset)
            key = f"*:{value['switch']}" if topic == "switches" else f"{PLATFORM}:{ACCOUNT}"
            raw = msgspec.json.encode(value)
            records.append(GivenRecord(offset, START, key.encode(), raw))
        batches.append((topic, records))
    together, alone = Day(brief()), Day(brief())
    for day in (together, alone):
        day.now = START + 10 * MINUTE
    together.partition.step(together.tables, together.now, batches)
    for topic, records in batches:
        for record in records:
            alone.partition.step(alone.tables, alone.now, [(topic, [record])])
    assert together.events == alone.events
    assert together.wait(60 * DAY).events == alone.wait(60 * DAY).events


def test_pt0s_acts_within_the_batch_of_the_input() -> None:
    day = Day(brief()).label("财经")
    assert day.partition.due() is None
    day.reads(1500)
    assert day.said() == [ISSUED]
