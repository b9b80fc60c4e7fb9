"""Readings that change nothing are left out, and nothing else changes: events, decisions."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from schemas.enums import Cause, Mode
from streams.backtest.resting import RestingPartition, RestingReading
from streams.core.model.ids import invitation_id
from streams.core.model.policy import Guards, Phase, Policy
from streams.core.partition import ORDER
from streams.core.state.schedule import Schedule
from streams.lives.partition import Batch, SimulatedPartition, SimulatedRecord, Sink
from tests.backtest.given import EXEMPT, FINANCE, SaidWord, decisions, events, policy, words_of
from tests.backtest.test_filter import _word
from tests.core.given import DAY, HOUR, PLATFORM, START, rfc3339, stability

ACCOUNTS = st.sampled_from(["a1", "a2", "a3", "a4"])
COUNTS = st.sampled_from(
    [300, 460, 899, 900, 950, 990, 1000, 1001, 1100, 1799, 1800, 1999, 2000, 2100, 3900, 9000]
)
CAUSES = st.sampled_from([None, None, None, None, Cause.CORRECTION, Cause.PLATFORM_PURGE])
INPUTS = st.lists(
    st.tuples(
        st.sampled_from([0, HOUR, HOUR, 6 * HOUR, 2 * DAY]),
        ACCOUNTS,
        st.one_of(
            st.tuples(COUNTS, CAUSES, st.sampled_from([0, 0, 0, 0, HOUR, 3 * DAY])),
            st.tuples(COUNTS, CAUSES, st.just(0)),
            st.tuples(COUNTS, CAUSES, st.just(0)),
            st.sampled_from([FINANCE, EXEMPT]),
            st.sampled_from(["delivered 1", "delivered 1", "delivered 2", "granted", "declined"]),
            st.sampled_from(["exempted", "exemption_ended", "closed", "reopened", "hold"]),
        ),
    ),
    min_size=10,
    max_size=80,
)
POLICIES = st.builds(
    lambda dwell, cap, guards, keep, two: policy(
        stability=replace(stability(), dwell=dwell, cool_down=2 * DAY, max_age=5 * DAY),
        invitations_per_day=cap,
        guards=Guards(HOUR * 30, 1, 300_000, 300_000, 300_000, 300_000) if guards else None,
        keep_on_fall_below=keep,
        phases=(
            Phase("first", 2000, START - DAY, None, None),
            *([Phase("second", 1000, START + 4 * DAY, None, None)] if two else []),
        ),
    ),
    st.sampled_from([0, HOUR, DAY]),
    st.sampled_from([1, 1000]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)

Leading = Callable[[Policy, Sink], SimulatedPartition]
COUNTED = ("deferred", "guard_trips", "dead_letters")
"""The counters of the core that a report has."""


def _said(at: int, number: int, account: str, what: str) -> tuple[str, dict[str, Any]]:
    """The topic and the value of a label or a word that is said at `at`."""
    who: dict[str, Any] = {"platform": PLATFORM, "account_id": account}
    if what in (FINANCE, EXEMPT):
        return "category-changes", who | {"category": what, "observed_at": rfc3339(at)}
    said = who | {"occurred_at": rfc3339(at)}
    if what in ("granted", "declined"):
        return "consent-answers", said | {"answer": what}
    outcome, _, cycle = what.partition(" ")
    if cycle:
        told = invitation_id(PLATFORM, account, Mode.ENFORCE, int(cycle))
        return "notice-receipts", said | {"outcome": outcome, "invitation_id": told}
    topic = "controls" if what == "hold" else "account-changes"
    return topic, dict(_word(number, at - START, account, what))


class Run:
    """What a partition sends, and how many readings the core was given.

    `led`: the partition, made with a policy and a sink; `asks`: each reading of an instant is first
    asked whether it rests, as a backtest does.
    """

    def __init__(self, led: Leading, it: Policy, inputs: list[Any], *, asks: bool = False) -> None:
        self.said: list[SaidWord] = []
        self.led, self._asks = led(it, self._sent), asks
        self.led.any_order()
        at = START
        timed = []
        for number, (after, account, what) in enumerate(inputs):
            at += after
            timed.append((at, number, account, what))
        for instant, of_one in groupby(timed, key=lambda one: one[0]):
            self._put(instant, list(of_one))
        self.led.until(at + 40 * DAY)
        self.led.close()
        counts = self.led.partition.counts
        self.applied = counts["inputs", "follower-counts"]
        self.counts = {key: n for key, n in counts.items() if key[0] in COUNTED}

    def _sent(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self.said.append(SaidWord("p", topic, key, value))

    def _put(self, at: int, of_one: list[tuple[int, int, str, Any]]) -> None:
        """Gives what enters at one instant: labels and words by topic, then readings."""
        said: dict[Any, list[SimulatedRecord]] = defaultdict(list)
        readings = []
        for _, number, account, what in of_one:
            if isinstance(what, tuple):
                count, cause, late = what
                readings.append(RestingReading(number, account, count, at - late, cause))
                continue
            key = f"{PLATFORM}:{account}".encode()
            topic, value = _said(at, number, account, what)
            said[topic].append(SimulatedRecord(number, at, key, json.dumps(value).encode()))
        batches: list[Batch] = [(topic, said[topic]) for topic in sorted(said, key=ORDER.index)]
        if not isinstance(self.led, RestingPartition):
            records = [reading.record(PLATFORM, at) for reading in readings]
            self.led.give(at, [*batches, ("follower-counts", records)])
            return
        while self._asks and not batches and readings and self.led.rests(at, readings[0]):
            readings.pop(0)
        if batches or readings:
            self.led.take(at, batches, readings)


def _whole(it: Policy, sink: Sink) -> SimulatedPartition:
    return SimulatedPartition({it.platform: it}, sink, START)


def _resting(it: Policy, sink: Sink) -> SimulatedPartition:
    return RestingPartition(it, sink, START)


def _not_resting(it: Policy, sink: Sink) -> SimulatedPartition:
    return RestingPartition(it, sink, START, resting=False)


def led(it: Policy, inputs: list[Any]) -> tuple[Run, Run]:
    """A run that leaves readings out, and one that does not; both say the same."""
    whole = Run(_whole, it, inputs)
    for asks in (False, True):
        few = Run(_resting, it, inputs, asks=asks)
        assert events(few.said) == events(whole.said)
        assert decisions(few.said) == decisions(whole.said)
        assert few.counts == whole.counts
    return few, whole


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(POLICIES, INPUTS)
def test_readings_that_are_left_out_change_no_event_and_no_decision(
    it: Policy, inputs: list[Any]
) -> None:
    labelled = [(0, f"a{number}", FINANCE) for number in (1, 2, 3)] + inputs
    few, whole = led(it, labelled)
    event(f"left out: {few.applied < whole.applied}")


def test_of_an_account_at_rest_only_the_last_reading_before_a_timer_is_applied() -> None:
    hourly = [(HOUR, "a1", (1500 + number % 7, None, 0)) for number in range(60)]
    inputs = [(0, "a1", FINANCE), *hourly]
    it = policy(stability=replace(stability(), dwell=DAY))
    few, whole = led(it, inputs)
    assert len(events(few.said)) >= 1
    assert (whole.applied, few.applied < 6) == (60, True), few.applied


def test_a_slow_fall_by_more_than_half_is_none_at_once() -> None:
    """Each step is small; the readings left out must not make it one great fall for the guards."""
    falling = [(HOUR, "a1", (count, None, 0)) for count in (9000, 6000, 4000, 3000, 2100, 2050)]
    inputs = [(0, "a1", FINANCE), *falling, (HOUR, "a1", EXEMPT)]
    guards = Guards(HOUR * 30, 1, 300_000, 300_000, 1_000_000, 300_000)
    _, whole = led(policy(guards=guards), inputs)
    assert not whole.counts


def test_a_sudden_fall_above_the_line_trips_the_guard_when_it_comes() -> None:
    """It is no rest, although both counts are over every line: others wait from then on."""
    falling = [(HOUR, "a1", (count, None, 0)) for count in (9000, 9000, 4100)]
    inputs = [(0, "a1", FINANCE), (0, "a2", FINANCE), *falling, (HOUR, "a2", (9000, None, 0))]
    guards = Guards(HOUR * 30, 1, 300_000, 300_000, 1_000_000, 300_000)
    it = policy(guards=guards, stability=replace(stability(), dwell=0))
    _, whole = led(it, inputs)
    assert whole.counts["guard_trips", PLATFORM, "sudden_drop"] == 1


def test_a_reading_that_comes_late_is_not_taken_for_the_last_one() -> None:
    """What the answer is decided on is the reading that was seen last, not the one read last."""
    counts = [(HOUR, "a1", (1100, None, 0)), (2 * HOUR, "a1", (1800, None, 0))]
    late = (2 * HOUR, "a1", (1500, None, 3 * HOUR))
    inputs = [(0, "a1", FINANCE), *counts, late, (HOUR, "a1", "granted")]
    _, whole = led(policy(), inputs)
    assert decisions(whole.said)[-1]["facts"]["followers"] == 1800


def test_a_fall_under_the_exit_line_between_two_lines_begins_to_leave_at_once() -> None:
    """Both counts lie between the lines of 1,000 and 2,000; an open cycle leaves under 1,800."""
    falling = [(HOUR, "a1", (count, None, 0)) for count in (2100, 2050, 1950, 1750)]
    inputs = [(0, "a1", FINANCE), *falling]
    two = (
        Phase("first", 2000, START - DAY, None, None),
        Phase("second", 1000, START + 300 * DAY, None, None),
    )
    it = policy(phases=two, stability=replace(stability(), dwell=0, leave_after=6 * HOUR))
    _, whole = led(it, inputs)
    assert words_of(whole.said) == [
        "a1 invitation.issued over_line",
        "a1 invitation.cancelled left",
    ]


def test_a_reading_that_an_event_waits_for_is_applied_at_once() -> None:
    """An account over its dwell whose facts are too old is invited by the next reading."""
    inputs = [(0, "a1", FINANCE), (0, "a1", (1500, None, 0)), (5 * DAY, "a1", (1500, None, 0))]
    it = policy(stability=replace(stability(), dwell=2 * DAY, max_age=DAY))
    few, _ = led(it, inputs)
    assert events(few.said)


def test_where_readings_may_not_be_left_out_none_rests() -> None:
    hourly = [(HOUR, "a1", (count, None, 0)) for count in (1500, 1501, 10, 1502, 1503)]
    inputs = [(0, "a1", FINANCE), *hourly, (0, "a9", (10, None, 0))]
    whole, every = (Run(it, policy(), inputs, asks=True) for it in (_whole, _not_resting))
    assert every.said == whole.said
    assert every.applied == whole.applied == 6


def test_a_low_reading_of_an_account_that_the_core_does_not_know_is_not_applied() -> None:
    low = [(HOUR, "a9", (count, None, 0)) for count in (10, 899)]
    few, whole = led(policy(), [*low, (HOUR, "a9", (900, None, 0))])
    assert (few.applied, whole.applied) == (1, 3)


def test_a_timer_sees_no_reading_that_enters_after_it() -> None:
    """The account is invited at its third hour; the reading of the fifth changes nothing."""
    counts = [(2 * HOUR, "a1", (1500, None, 0)), (3 * HOUR, "a1", (1600, None, 0))]
    _, whole = led(policy(), [(0, "a1", FINANCE), *counts])
    invited = next(it for it in decisions(whole.said) if it["facts"].get("followers"))
    assert invited["facts"]["followers"] == 1500
    issued = next(it for it in events(whole.said) if b"invitation.issued" in (it.value or b""))
    assert rfc3339(START + 3 * HOUR).encode() in (issued.value or b"")


def test_inputs_of_an_instant_come_before_its_timers_though_others_are_due_earlier() -> None:
    """The timer of a1 is due an hour before that of a2, whose label goes at its very instant."""
    over = [(0, "a1", (1500, None, 0)), (HOUR, "a2", (1500, None, 0))]
    inputs = [(0, "a1", FINANCE), (0, "a2", FINANCE), *over, (2 * HOUR, "a2", EXEMPT)]
    it = policy(stability=replace(stability(), dwell=2 * HOUR))
    _, whole = led(it, inputs)
    assert [it for it in words_of(whole.said) if "issued" in it] == [
        "a1 invitation.issued over_line"
    ]


BETWEEN = policy(
    phases=(
        Phase("first", 2000, START - DAY, None, None),
        Phase("second", 1000, START + 300 * DAY, None, None),
    ),
    stability=replace(stability(), dwell=DAY),
)
"""Lines of 1,000, which does not hold yet, and of 2,000: an account between them is at rest."""


@pytest.mark.parametrize("word", ["declined", "hold"])
def test_a_reading_of_the_instant_of_a_word_is_applied_with_it(word: str) -> None:
    counts = [(HOUR, "a1", (count, None, 0)) for count in (1100, 1999)]
    _, whole = led(BETWEEN, [(0, "a1", FINANCE), *counts, (0, "a1", word)])
    assert decisions(whole.said)


def test_readings_of_one_instant_are_applied_in_their_order() -> None:
    """The first of them is no rest, so the second, which would be one, is not taken before it."""
    counts = [(0, "a1", (1799, None, HOUR)), (HOUR, "a1", (9000, None, 0))]
    led(BETWEEN, [(0, "a1", FINANCE), *counts, (0, "a1", (1999, None, 0)), (DAY, "a1", EXEMPT)])


def test_a_rise_over_the_next_line_is_no_rest() -> None:
    counts = [(HOUR, "a1", (count, None, 0)) for count in (990, 1001, 2100, 2200)]
    _, whole = led(BETWEEN, [(0, "a1", FINANCE), *counts])
    assert words_of(whole.said)[0] == "a1 invitation.issued over_line"


@pytest.mark.parametrize("count", [0, 1, 5, 200])
def test_keys_that_are_due_are_told_without_taking_them(count: int) -> None:
    plan = Schedule()
    for number in range(count):
        plan.set(b"k%d" % number, (number * 37) % 100)
        plan.set(b"k%d" % number, (number * 53) % 100)
    plan.set(b"gone", 10)
    plan.set(b"gone", None)
    plan.set(b"parked", 20)
    plan.park(b"parked", 20, 0, 19)
    due = {b"k%d" % number for number in range(count) if (number * 53) % 100 <= 50}
    assert plan.keys_due(50) == due | {b"parked"}
    taken = set()
    plan.unpark()
    while (one := plan.take(50)) is not None:
        taken.add(one[1])
    assert taken == due | {b"parked"}
