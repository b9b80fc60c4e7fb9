"""What defers: holds, appeals, the four switches, caps; and how the clock of the answer stops.

Deadlines are checked to the millisecond.
"""

import pytest

from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy, stability
from tests.core.states import DEADLINE, ISSUED, begun, declined, delivered, expired, undelivered

ADVERSE = ("issued", "reminded", "expired", "renewed")
DEFERS = {
    "adverse_off": set(ADVERSE),
    "invitations_off": {"issued"},
    "throttles_off": {"expired", "renewed"},
    "answers_paused": {"reminded", "expired"},
}
STOPS = {"adverse_off", "answers_paused"}


def waiting_for(event: str) -> tuple[Day, int]:
    """A day one hour before an adverse event, and how long to wait for it."""
    if event == "issued":
        return begun(), HOUR
    if event == "reminded":
        return delivered().wait(2 * DAY - HOUR), HOUR
    if event == "expired":
        day = delivered().wait(3 * DAY - HOUR)
        day.said()
        return day, HOUR
    return expired().wait(5 * DAY - HOUR), HOUR


@pytest.mark.parametrize("event", ADVERSE)
@pytest.mark.parametrize("scope", ["*", "weibo"])
@pytest.mark.parametrize("switch", DEFERS)
def test_each_switch_defers_its_own_events_and_no_other(
    switch: str, scope: str, event: str
) -> None:
    day, left = waiting_for(event)
    day.switch(switch, True, scope=scope).run_timers()
    said = [words.split()[0] for words in day.wait(left).said()]
    assert (event in said) is (event not in DEFERS[switch])
    day.wait(HOUR).switch(switch, False, scope=scope).wait(DAY)
    assert event in said + [words.split()[0] for words in day.said()], "nothing is dropped"


def test_of_several_grounds_of_one_deferral_each_is_counted_by_itself() -> None:
    day = delivered().control("hold").switch("adverse_off", True).wait(4 * DAY)
    assert day.said() == []
    counts = day.partition.counts
    grounds = {key[-1]: n for key, n in counts.items() if key[0] == "deferred" and n}
    assert grounds.keys() == {"adverse_off", "hold"}


@pytest.mark.parametrize("switch", DEFERS)
def test_a_switch_of_another_platform_defers_nothing_here(switch: str) -> None:
    other = Day()
    other.label("财经").reads(1500)
    assert other.switch(switch, True, scope="douyin").wait(HOUR).said() == [ISSUED]
    assert other.dead_letters[-1]["reason"] == "unknown_platform"


@pytest.mark.parametrize("switch", DEFERS)
def test_a_pause_moves_the_deadline_by_its_exact_length_if_it_stops_the_clock(
    switch: str,
) -> None:
    day = delivered().wait(HOUR).switch(switch, True).wait(5 * HOUR + 7).switch(switch, False)
    day.run_timers()
    length = 5 * HOUR + 7 if switch in STOPS else 0
    assert day.said() == (["extended pause"] if length else [])
    assert day.account().live.cycle.deadline_at == START + DEADLINE + length  # type: ignore[union-attr]
    assert "expired no_answer" not in day.wait(START + DEADLINE + length - 1 - day.now).said()
    assert day.wait(1).said()[0] == "expired no_answer"


@pytest.mark.parametrize("switch", sorted(STOPS))
def test_a_pause_runs_from_the_earlier_time_of_its_first_record_to_the_later_of_its_last(
    switch: str,
) -> None:
    day = delivered().wait(DAY)
    begun_at, ended_at = day.now - 3 * HOUR, day.now - HOUR
    day.switch(switch, True, at=begun_at).switch(switch, False, at=ended_at).run_timers()
    assert day.said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 3 * HOUR)
    day.switch(switch, True, at=day.now + MINUTE)
    day.switch(switch, False, at=day.now + 2 * MINUTE).run_timers()
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 3 * HOUR + 2 * MINUTE)


def test_a_deadline_that_passed_before_the_pause_is_not_moved_by_it() -> None:
    day = delivered().switch("throttles_off", True).wait(3 * DAY + HOUR)
    assert day.said() == ["reminded reminder"]
    day.control("hold").wait(HOUR).control("unhold").run_timers()
    assert day.said() == []
    day.switch("throttles_off", False).run_timers()
    assert day.said()[0] == "expired no_answer"
    expired_at = next(event for event in day.events if event["event"] == "invitation.expired")
    assert expired_at["deadline_at"] == rfc3339(START + DEADLINE)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (("hold", {}), ("unhold", {})),
        (("appeal_opened", {}), ("appeal_rejected", {})),
    ],
)
@pytest.mark.parametrize("state", [delivered, declined])
def test_a_hold_or_an_appeal_stops_the_clock_exactly(state, begin, end) -> None:  # type: ignore[no-untyped-def]
    day = state().wait(HOUR).control(begin[0], **begin[1]).wait(4 * DAY)
    assert day.said() == [], "nothing adverse meanwhile"
    day.control(end[0], **end[1])
    assert day.said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 4 * DAY)


def test_unhold_ends_no_appeal_and_a_verdict_ends_no_hold() -> None:
    day = delivered().control("hold").control("appeal_opened").wait(DAY)
    assert day.control("unhold").wait(DAY).said() == []
    assert day.control("appeal_rejected").said() == ["extended pause"]
    day = delivered().control("hold").control("appeal_opened").wait(DAY)
    assert day.control("appeal_rejected").wait(DAY).said() == []
    assert day.control("unhold").said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 2 * DAY)


def test_overlapping_stops_count_once() -> None:
    day = delivered()
    day.control("hold").wait(HOUR).control("appeal_opened").wait(HOUR)
    day.switch("adverse_off", True).wait(HOUR).control("unhold").wait(HOUR)
    day.control("appeal_rejected").wait(HOUR)
    assert day.said() == []
    day.switch("adverse_off", False).run_timers()
    assert day.said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 5 * HOUR)


def test_two_stops_apart_add_up() -> None:
    day = delivered().control("hold").wait(HOUR).control("unhold").wait(HOUR)
    day.switch("answers_paused", True).wait(HOUR).switch("answers_paused", False).run_timers()
    assert day.said() == ["extended pause", "extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 2 * HOUR)


def test_a_hold_ends_by_itself_at_expires_at() -> None:
    day = delivered().control("hold", expires_at=rfc3339(START + DAY)).wait(DAY)
    assert day.said() == ["extended pause"]
    stopped = DAY - HOUR - MINUTE
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + stopped)
    assert day.account().hold is None


def test_a_second_hold_lasts_to_the_later_end_and_unhold_ends_both() -> None:
    day = delivered().control("hold", expires_at=rfc3339(START + DAY))
    day.control("hold", expires_at=rfc3339(START + 2 * DAY))
    assert day.wait(DAY).said() == []
    assert day.control("unhold").said() == ["extended pause"]


def test_a_hold_that_ran_out_unseen_is_not_prolonged_by_the_next() -> None:
    day = delivered().control("hold", expires_at=rfc3339(START + 2 * HOUR))
    day.now = START + 10 * HOUR
    day.control("hold").control("unhold").run_timers()
    assert day.said() == ["extended pause"]
    stopped = 2 * HOUR - HOUR - MINUTE
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + stopped)


def test_expires_at_on_an_appeal_means_nothing() -> None:
    day = delivered().control("appeal_opened", expires_at=rfc3339(START + DAY))
    assert day.wait(30 * DAY).said() == []


def test_an_answer_during_a_deferral_is_in_time() -> None:
    day = delivered().control("hold").wait(30 * DAY).answer("granted")
    assert day.said() == ["granted answer"]


def test_conditions_are_checked_anew_when_a_deferral_ends() -> None:
    day = delivered().control("hold").wait(30 * DAY).change("exempted")
    assert day.said() == ["cancelled exempted"], "favourable events flow meanwhile"
    assert day.control("unhold").run_timers().said() == []


@pytest.mark.parametrize("brake", [("hold", "unhold"), ("appeal_opened", "appeal_rejected")])
def test_a_hold_or_an_appeal_puts_off_the_issue_and_the_reissue(brake: tuple[str, str]) -> None:
    day = begun().control(brake[0]).wait(DAY)
    assert day.said() == []
    assert day.control(brake[1]).run_timers().said() == [ISSUED]
    day = undelivered().control(brake[0]).control("reissue").wait(DAY)
    assert day.said() == []
    assert day.control(brake[1]).run_timers().said() == ["issued reissued"]
    assert day.events[-1]["cycle"] == 1


def test_a_hold_puts_off_the_dwell_of_nobody() -> None:
    day = begun().control("hold").wait(DAY)
    assert day.account().eligibility.name == "INSIDE"


@pytest.mark.parametrize("brake", [*DEFERS, "hold", "appeal_opened"])
def test_favourable_events_always_flow(brake: str) -> None:
    day = expired()
    if brake in DEFERS:
        day.switch(brake, True)
    else:
        day.control(brake)
    day.wait(HOUR).answer("granted")
    assert day.said()[0] == "granted late"
    assert len(day.said()) == 0
    assert day.wait(HOUR).answer("withdrawn").said() == ["withdrawn answer"]


def test_a_deferred_reminder_is_made_up_for_unless_the_deadline_has_passed() -> None:
    day = delivered().wait(DAY).switch("answers_paused", True).wait(DAY + HOUR)
    assert day.said() == []
    assert day.switch("answers_paused", False).run_timers().said() == ["extended pause"]
    assert day.wait(2 * DAY).said()[0] == "reminded reminder"


def test_a_deferral_is_written_down_once() -> None:
    day = delivered().switch("throttles_off", True).wait(10 * DAY).reads(1600).wait(DAY)
    told = [deferral for record in day.decisions for deferral in record.get("deferrals", [])]
    assert told == [{"event": "invitation.expired", "by": ["throttles_off"]}]


def test_a_switch_turned_twice_says_nothing_new() -> None:
    day = delivered().switch("adverse_off", True).wait(HOUR).switch("adverse_off", True)
    day.wait(HOUR).switch("adverse_off", False).switch("adverse_off", False).run_timers()
    assert day.said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 2 * HOUR)


def test_an_older_switch_record_undoes_nothing() -> None:
    day = begun().wait(MINUTE).switch("adverse_off", True)
    day.switch("adverse_off", False, at=START).wait(DAY)
    assert day.said() == []


def test_what_an_extension_and_a_pause_add_up_to_is_never_said_to_be_a_policys() -> None:
    day = delivered().wait(HOUR).control("hold").wait(2 * DAY)
    day.control("extend", until=rfc3339(day.now + 2 * DAY)).wait(HOUR).control("unhold")
    assert [words for words in day.said() if words.startswith("extended")][1:] == [
        "extended pause",
        "extended pause",
    ]


def test_a_pause_that_ends_ahead_of_its_entry_counts_for_the_cycle_that_begins_meanwhile() -> None:
    day = Day(policy(stability=stability(dwell=0))).label("财经").control("hold").reads(1500)
    assert day.wait(HOUR).said() == []
    day.control("unhold", at=day.now + 4 * MINUTE).run_timers()
    assert day.said() == [ISSUED]
    day.receipt()
    words = day.wait(4 * MINUTE).said()
    assert words[0].startswith("delivered")
    assert words[1:] == ["extended pause"], words
