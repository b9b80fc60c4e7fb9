"""Terms pinned at issue, stricter and milder policies, phases withdrawn, and taking policies up."""

from dataclasses import replace

import pytest

from schemas.enums import Field, Level, Mode, Surface
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Phase, Policy, Restriction
from streams.stop_worker import StopWorker
from tests.core.given import DAY, HOUR, MINUTE, START, Day, policy, stability
from tests.core.states import DEADLINE, ISSUED, WINDOW, delivered, expired, granted, invited


def noticed(**changes: object) -> Policy:
    """Version 2 with another notice."""
    return policy(version=2, notice=replace(policy().notice, **changes))  # type: ignore[arg-type]


def test_a_shorter_window_is_for_the_next_invitation() -> None:
    day = delivered()
    day.open(noticed(answer_window=DAY, reminders=()))
    assert day.run_timers().said() == []
    assert "expired no_answer" not in day.wait(WINDOW - 1).said()
    assert day.wait(1).said()[0] == "expired no_answer"
    day = invited()
    day.open(noticed(answer_window=DAY, reminders=()))
    day.receipt()
    assert day.events[-1]["deadline_at"] == rfc3339(START + HOUR + WINDOW)


def test_a_longer_window_moves_the_deadline_at_once() -> None:
    day = delivered()
    day.open(noticed(answer_window=5 * DAY))
    assert day.run_timers().said() == ["extended policy"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 2 * DAY)


def test_a_longer_window_and_a_pause_both_count() -> None:
    day = delivered().control("hold").wait(DAY)
    day.open(noticed(answer_window=5 * DAY))
    assert day.run_timers().said() == []
    day.control("unhold").run_timers()
    assert day.events[-1]["deadline_at"] == rfc3339(START + DEADLINE + 3 * DAY)


def test_a_later_answer_by_moves_the_deadline_and_an_earlier_one_does_not() -> None:
    phase = policy().phases[0]
    day = delivered()
    day.open(policy(version=2, phases=(replace(phase, answer_by=START + 9 * DAY),)))
    assert day.run_timers().said() == ["extended policy"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + 9 * DAY)
    day.open(policy(version=3, phases=(replace(phase, answer_by=START + 2 * DAY),)))
    assert day.wait(DAY).said() == []


def test_a_reminder_is_not_repeated_after_an_extension() -> None:
    two = policy(notice=replace(policy().notice, reminders=(5 * DAY, DAY), answer_window=5 * DAY))
    day = delivered(two).wait(4 * DAY)
    assert day.said() == ["reminded reminder"]
    day.control("extend", until=rfc3339(START + 30 * DAY))
    assert "reminded reminder" not in day.wait(30 * DAY).said()


def test_reminders_are_said_in_the_order_of_their_instants_however_they_are_listed() -> None:
    two = policy(notice=replace(policy().notice, reminders=(DAY, 2 * DAY)))
    day = delivered(two)
    assert day.wait(DAY).said() == ["reminded reminder"]
    assert day.wait(DAY).said() == ["reminded reminder"]


def test_stricter_surfaces_need_a_new_invitation_and_it_carries_the_new_terms() -> None:
    more = {**(policy().consequence.surfaces or {}), Surface.SEARCH: Restriction(Level.OFF, None)}
    stricter = policy(version=2, consequence=replace(policy().consequence, surfaces=more))
    day = delivered()
    day.open(stricter)
    day.wait(WINDOW + 20 * DAY + 10 * DAY)
    assert day.said()[-1] == ISSUED
    assert "search" in day.events[-1]["surfaces_at_stake"]
    assert day.events[-1]["policy_version"] == 2


def test_a_shorter_expiry_ends_a_restriction_sooner_and_a_longer_one_not_later() -> None:
    day = expired()
    day.open(policy(version=2, consequence=replace(policy().consequence, expires_after=9 * DAY)))
    assert day.wait(9 * DAY).said()[-1] == "lifted tips ended"
    day = expired()
    day.open(policy(version=2, consequence=replace(policy().consequence, expires_after=90 * DAY)))
    assert day.wait(20 * DAY).said()[-1] == "lifted tips ended"


def test_a_field_no_longer_covered_cancels_with_the_reason_policy() -> None:
    day = invited()
    day.open(policy(version=2, covered=frozenset({Field.LAW})))
    assert day.run_timers().said() == ["cancelled policy"]


def test_lowering_a_line_invites_and_never_restricts() -> None:
    day = Day().label("财经").reads(950).wait(DAY)
    lower = replace(policy().phases[0], name="lower", followers=900, starts_at=START)
    day.open(policy(version=2, phases=(policy().phases[0], lower)))
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == [ISSUED], "its dwell began with the policy"
    assert day.wait(99 * DAY).said() == []


def two_phases(**changes: object) -> Policy:
    """A line of 2,000 in force, and since START one of 1,000."""
    first = replace(policy().phases[0], name="high", followers=2000)
    second = replace(policy().phases[0], name="low", followers=1000, starts_at=START)
    return policy(phases=(first, second), **changes)


@pytest.mark.parametrize("count", [1500, 2500])
def test_withdrawing_the_phase_of_an_open_cycle_cancels_it_even_if_another_is_in_force(
    count: int,
) -> None:
    day = Day(two_phases()).label("财经").reads(count).wait(HOUR)
    assert day.said() == [ISSUED]
    assert day.events[-1]["phase"] == "low"
    day.open(policy(version=2, phases=two_phases().phases[:1]))
    assert day.run_timers().said() == ["cancelled policy"]
    said = day.wait(10 * DAY).said()
    assert said == ([ISSUED] if count == 2500 else [])


def test_withdrawing_a_phase_that_the_account_outgrew_a_moment_ago_cancels_too() -> None:
    day = Day(two_phases()).label("财经").reads(1500).wait(HOUR).reads(2500)
    assert day.said() == [ISSUED]
    day.open(policy(version=2, phases=two_phases().phases[:1]))
    assert day.wait(MINUTE).said() == ["cancelled policy"]


def test_withdrawing_another_phase_than_the_cycles_changes_nothing() -> None:
    day = Day(two_phases()).label("财经").reads(1500).wait(HOUR)
    day.said()
    day.open(policy(version=2, phases=two_phases().phases[1:]))
    assert day.wait(DAY).said() == []


def test_a_phase_that_starts_leaves_open_cycles_as_they_are() -> None:
    low = replace(two_phases().phases[1], starts_at=START + DAY)
    day = Day(policy(phases=(two_phases().phases[0], low))).label("财经").reads(2500).wait(HOUR)
    assert day.said() == [ISSUED]
    assert day.events[-1]["phase"] == "high"
    assert day.receipt().wait(DAY).said() == ["delivered receipt"]


def test_a_new_notice_without_renew_keeps_the_consent() -> None:
    day = granted()
    day.open(noticed(version="2"))
    assert day.wait(DAY).said() == []


def test_a_grant_for_another_notice_version_does_not_count() -> None:
    day = delivered().answer("granted", notice_version="0")
    assert day.said() == []
    assert day.answer("granted", notice_version="1").said() == ["granted answer"]


def test_every_event_carries_the_version_and_digest_of_its_policy() -> None:
    day = delivered()
    second = noticed(answer_window=5 * DAY)
    day.open(second)
    day.run_timers()
    assert {event["policy_digest"] for event in day.events[:-1]} == {policy().digest}
    assert day.events[-1]["policy_digest"] == second.digest


# ---- taking policies up ------------------------------------------------------------------------


def test_no_partition_goes_back_to_an_older_policy() -> None:
    day = Day(policy(version=3))
    with pytest.raises(StopWorker) as refused:
        day.open(policy(version=2))
    assert refused.value.exit_code == 2
    assert "version 3" in refused.value.message
    assert "give this worker version 3 or a later one" in refused.value.message


def test_another_text_under_the_same_version_is_refused() -> None:
    day = Day()
    with pytest.raises(StopWorker) as refused:
        day.open(policy(rollout_percent=50))
    assert "raise the version of the changed file" in refused.value.message


@pytest.mark.parametrize("state", [invited, granted, expired])
def test_open_lives_of_a_platform_without_a_file_are_refused(state) -> None:  # type: ignore[no-untyped-def]
    day = state()
    with pytest.raises(StopWorker) as refused:
        day.open(policy(platform="douyin"))
    assert refused.value.exit_code == 2
    assert refused.value.message.startswith("1 accounts of weibo have an open invitation")


def test_a_platform_without_open_lives_may_go() -> None:
    day = Day().label("财经").reads(1500)
    day.open(policy(platform="douyin"))
    assert day.said() == []


def test_a_lower_floor_or_a_new_label_asks_for_a_rescan() -> None:
    day = Day()
    lower = replace(policy().phases[0], name="lower", followers=10, starts_at=None)
    day.open(policy(version=2, phases=(*policy().phases, lower)))
    assert "floor falls from 900 to 9" in day.partition.adoption.rescans["weibo"]
    day.open(policy(version=3, phases=(*policy().phases, lower), labels={"军事": Field.MILITARY}))
    assert day.partition.adoption.rescans["weibo"] == "1 labels are new"


def test_fields_that_were_not_covered_ask_for_a_rescan() -> None:
    day = Day(policy(covered=frozenset({Field.LAW})))
    day.rescan = frozenset()
    with pytest.raises(StopWorker, match="finance are covered now"):
        day.open(policy(version=2, covered=frozenset({Field.LAW, Field.FINANCE})))
    with pytest.raises(StopWorker, match="any field is covered now"):
        day.open(policy(version=2))
    day.rescan = frozenset({"weibo"})
    day.open(policy(version=2))


def test_what_was_applied_milder_stays_when_the_policy_becomes_stricter_again() -> None:
    milder = {Surface.TIPS: Restriction(Level.LIMITED, None)}
    stricter = {Surface.TIPS: Restriction(Level.OFF, None)}
    base = policy().consequence
    day = delivered(policy(consequence=replace(base, surfaces=stricter)))
    day.open(policy(version=2, consequence=replace(base, surfaces=milder)))
    assert day.wait(WINDOW).said()[-1] == "applied tips no_answer"
    assert day.events[-1]["level"] == "limited"
    day.open(policy(version=3, consequence=replace(base, surfaces=stricter)))
    assert day.run_timers().said() == []


def test_a_policy_that_ends_a_platform_ends_its_lives_and_keeps_its_consents() -> None:
    day = granted().label("财经", "b2").reads(1500, "b2").wait(HOUR)
    day.said()
    day.open(policy(version=2, mode=Mode.OFF))
    assert day.run_timers().said() == ["cancelled policy"]
    assert day.account().live.state.name == "GRANTED"


def test_a_cool_down_of_the_present_policy_counts() -> None:
    day = delivered()
    day.open(policy(version=2, stability=stability(cool_down=DAY)))
    day.run_timers().control("lift")
    assert day.wait(DAY).said() == ["cancelled operator", ISSUED]


def test_two_notices_of_a_platform_never_share_a_version() -> None:
    day = Day()
    day.open(noticed(version="2"))
    for shared in ("1", "2"):
        other = noticed(id="another-notice", version=shared)
        with pytest.raises(StopWorker, match=r"has version '.', as weibo-notice had; give it"):
            day.open(replace(other, version=3))
    day.open(replace(noticed(id="another-notice", version="3"), version=3))


@pytest.mark.parametrize("time", [-1, 0, 1, START - 1, START, START + 1, START + 2 * DAY])
def test_what_is_in_force_at_an_instant_has_begun_by_then_in_its_own_mode(time: int) -> None:
    ruled = policy(
        phases=(
            Phase("epoch", 4000, 0, None, None),
            Phase("trial", 3000, START, None, Mode.SHADOW),
            Phase("off", 2000, START + 1, None, Mode.OFF),
            Phase("last", 1000, START + DAY, None, None),
            Phase("undated", 500, None, None, None),
        )
    )
    begun = [one for one in ruled.phases if one.starts_at is not None and one.starts_at <= time]
    by_mode = {
        mode: [one for one in begun if ruled.phase_mode(one) is mode]
        for mode in (Mode.ENFORCE, Mode.SHADOW)
    }
    found = ruled.in_force(time)
    assert [*found.enforcing] == by_mode[Mode.ENFORCE]
    assert [*found.shadowing] == by_mode[Mode.SHADOW]
    assert found.names == {mode: {one.name for one in by_mode[mode]} for mode in by_mode}
    lowest = min(by_mode[Mode.ENFORCE], key=lambda one: one.followers, default=None)
    assert found.lowest_enforcing is lowest
