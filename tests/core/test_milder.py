"""While a cycle is open the milder of what was pinned at issue and the present policy counts.

The higher exit line, the shorter `leave_after` and `max_age`, `close` before `keep`.
schemas/CONTRACT.md, "Eligibility".
"""

from dataclasses import replace

import pytest

from streams.core.model.account import decode_account, encode
from streams.core.model.policy import Phase, Policy
from streams.core.model.ports import ACCOUNTS
from tests.core.given import DAY, HOUR, PLATFORM, START, Day, policy, stability
from tests.core.states import ISSUED, WINDOW, begun, delivered, expired, invited, lifted

LINE = policy().phases[0]


def second(**changes: object) -> Policy:
    """Version 2 of the policy."""
    return replace(policy(version=2), **changes)  # type: ignore[arg-type]


def line(followers: int) -> tuple[Phase, ...]:
    """The one phase with another line, under the same name."""
    return (replace(LINE, followers=followers),)


def taken_up(day: Day, new: Policy) -> Day:
    """A new policy is taken up and everybody looked at."""
    day.open(new)
    return day.run_timers()


def state(day: Day) -> str:
    """Where the account stands."""
    return day.account().eligibility.name


def restricts(day: Day) -> bool:
    """Whether anything was restricted since it was asked last."""
    return any(words.startswith("applied") for words in day.said())


# ---- the exit line ------------------------------------------------------------------------------


def test_a_lower_exit_ratio_does_not_take_back_the_exit_line_that_was_pinned() -> None:
    day = taken_up(delivered(), second(stability=stability(exit_ratio_ppm=500_000)))
    assert state(day.reads(899)) == "LEAVING"
    assert day.wait(7 * DAY).said() == ["cancelled left"]


def test_a_higher_exit_ratio_counts_at_once() -> None:
    day = taken_up(delivered(), second(stability=stability(exit_ratio_ppm=980_000)))
    assert state(day.reads(979)) == "LEAVING"
    assert state(day.wait(HOUR).reads(980)) == "INSIDE"


def test_a_line_that_was_raised_under_the_same_name_has_its_own_exit_line() -> None:
    """Each line times its own ratio: 2,000 x 0.9 is above 1,000 x 0.9."""
    day = taken_up(delivered(), second(phases=line(2000)))
    assert state(day) == "LEAVING", "1,500 is below 1,800"
    assert not restricts(day.wait(WINDOW))


def test_a_line_that_was_lowered_under_the_same_name_leaves_the_pinned_exit_line() -> None:
    day = taken_up(delivered(), second(phases=line(500)))
    assert state(day.reads(899)) == "LEAVING"
    assert not restricts(day.wait(30 * DAY))


def test_the_start_of_a_second_phase_takes_nobody_back_from_leaving_the_first() -> None:
    later = Phase("second", 500, START + 2 * DAY, None, None)
    day = delivered(policy(phases=(LINE, later))).wait(DAY).reads(850)
    assert state(day) == "LEAVING"
    day.wait(2 * DAY)
    assert state(day) == "LEAVING", "the second phase has begun"
    assert day.wait(5 * DAY + HOUR).said() == ["cancelled left"]


def test_a_new_policy_takes_nobody_back_from_leaving_only_a_reading_does() -> None:
    day = delivered().reads(850)
    taken_up(day, second(stability=stability(exit_ratio_ppm=950_000)))
    assert state(day) == "LEAVING"
    taken_up(day, policy(version=3))
    assert state(day) == "LEAVING"
    assert state(day.wait(HOUR).reads(900)) == "INSIDE"


def test_a_policy_that_is_taken_back_does_not_take_back_the_leaving_that_it_began() -> None:
    day = taken_up(delivered(), second(phases=line(2000)))
    assert state(day) == "LEAVING"
    taken_up(day, policy(version=3))
    assert state(day) == "LEAVING"
    assert state(day.wait(HOUR).reads(1500)) == "INSIDE", "the reading between the same marks"


def test_where_a_policy_puts_an_account_into_leaving_it_counts_from_the_taking_up() -> None:
    day = delivered().wait(2 * DAY)
    taken_up(day, second(phases=line(2000)))
    day.said()
    assert day.wait(7 * DAY - 1).said() == []
    assert day.wait(1).said() == ["cancelled left"]


def test_where_the_reading_was_below_the_pinned_line_it_counts_from_the_reading() -> None:
    """A worker that sleeps over both: the reading came first, so nobody waits the longer."""
    day = delivered()
    below_at = day.now + HOUR
    day.wait(2 * DAY)
    day.open(second(phases=line(2000)))
    day.reads(850, at=below_at)
    assert day.account().leaving_since == below_at


# ---- leave_after, max_age, on_fall_below --------------------------------------------------------


@pytest.mark.parametrize(("present", "days"), [(3 * DAY, 3), (30 * DAY, 7)])
def test_the_shorter_leave_after_counts(present: int, days: int) -> None:
    day = delivered().wait(2 * DAY).reads(10)
    day.said()
    taken_up(day, second(stability=stability(leave_after=present)))
    assert day.wait(days * DAY - 1).said() == []
    assert day.wait(1).said() == ["cancelled left"]


@pytest.mark.parametrize(
    ("pinned", "present"), [(DAY, None), (DAY, 30 * DAY), (None, DAY), (30 * DAY, DAY)]
)
def test_the_shorter_max_age_counts_and_absent_is_the_longest(
    pinned: int | None, present: int | None
) -> None:
    day = delivered(policy(stability=stability(max_age=pinned)))
    taken_up(day, second(stability=stability(max_age=present)))
    assert not restricts(day.wait(WINDOW))
    assert day.account().deferred == "invitation.expired:stale"


@pytest.mark.parametrize(("pinned", "present"), [(True, False), (False, True)])
def test_close_counts_before_keep(pinned: bool, present: bool) -> None:
    day = delivered(policy(keep_on_fall_below=pinned))
    taken_up(day, second(keep_on_fall_below=present))
    assert state(day.reads(10)) == "LEAVING"
    assert not restricts(day.wait(30 * DAY))


def test_kept_by_both_falling_changes_nothing() -> None:
    day = taken_up(delivered(policy(keep_on_fall_below=True)), second(keep_on_fall_below=True))
    assert state(day.reads(10)) == "INSIDE"
    assert restricts(day.wait(WINDOW))


def test_a_cycle_of_the_first_edition_goes_by_the_present_policy() -> None:
    day = delivered()
    key = f"{PLATFORM}:a1".encode()
    account = decode_account(day.tables.state[ACCOUNTS][key])
    assert account.live.cycle is not None
    terms = account.live.cycle.terms
    assert (terms.exit_ratio_ppm, terms.leave_after) == (900_000, 7 * DAY), "pinned since"
    terms.exit_ratio_ppm, terms.leave_after, terms.max_age = None, 0, None
    day.tables.state[ACCOUNTS][key] = encode(account)
    taken_up(day, second(stability=stability(exit_ratio_ppm=500_000, leave_after=3 * DAY)))
    assert state(day.reads(600)) == "INSIDE"
    assert state(day.wait(HOUR).reads(499)) == "LEAVING"
    assert day.wait(3 * DAY).said()[-1] == "cancelled left"


def test_who_left_is_told_so_also_where_a_new_policy_is_taken_up_in_the_same_look() -> None:
    day = delivered().reads(10)
    day.said()
    day.now += 8 * DAY
    assert taken_up(day, second(stability=stability(leave_after=DAY))).said() == ["cancelled left"]


# ---- without an open cycle ----------------------------------------------------------------------


def test_without_an_open_cycle_a_reading_below_the_line_leads_outside_at_once() -> None:
    day = begun(policy(invitations_per_day=0)).wait(2 * HOUR)
    assert state(day) == "INSIDE"
    assert state(day.reads(999)) == "OUTSIDE", "also between exit line and line"
    assert state(day.wait(HOUR).reads(1000)) == "DWELLING"


def test_leaving_exists_only_while_a_cycle_is_open() -> None:
    day = delivered().reads(10)
    assert state(day) == "LEAVING"
    assert state(day.answer("granted")) == "OUTSIDE"
    day = delivered().reads(10).control("lift")
    assert state(day) == "OUTSIDE"


def test_below_the_line_nobody_is_invited_after_the_cool_down_either() -> None:
    day = delivered().reads(950).control("lift")
    day.said()
    assert day.wait(30 * DAY).said() == []
    assert day.reads(1000).wait(HOUR).said() == [ISSUED]


def test_a_correction_over_the_line_opens_no_second_cycle() -> None:
    day = delivered().reads(950).reads(1500, cause="correction").control("lift")
    day.said()
    assert day.wait(30 * DAY).said() == []


# ---- phases and lines ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phases",
    [
        (Phase("renamed", 1000, START - 30 * DAY, None, None),),
        (replace(LINE, starts_at=None),),
        (replace(LINE, starts_at=START + 90 * DAY),),
    ],
    ids=["renamed", "not dated", "postponed"],
)
def test_a_phase_that_is_renamed_or_not_in_force_is_withdrawn(phases: tuple[Phase, ...]) -> None:
    day = taken_up(expired(), second(phases=phases))
    assert day.said() == ["cancelled policy", *lifted("policy")]


def two_lines(*, withdrawn: bool) -> Policy:
    """Phases of 2,000 and, later and unless withdrawn, of 1,000."""
    phases = (
        Phase("wide", 2000, START - 30 * DAY, None, None),
        Phase("narrow", 1000, START + 2 * HOUR, None, None),
    )
    return policy(version=1 + withdrawn, phases=phases[: 2 - withdrawn])


def test_an_accounts_line_follows_both_ways() -> None:
    """The cycle of the phase of 2,000 is open when the phase of 1,000 begins and is withdrawn."""
    day = Day(two_lines(withdrawn=False)).label("财经").reads(2500).wait(HOUR).receipt()
    day.wait(2 * HOUR)
    assert day.account().line == 1000
    taken_up(day, two_lines(withdrawn=True))
    assert day.account().line == 2000
    day.said()
    assert state(day.reads(1950)) == "INSIDE"
    assert day.said() == []
    assert state(day.reads(1799)) == "LEAVING"


def test_without_an_open_cycle_a_line_that_rises_again_asks_for_its_own_run() -> None:
    capped = replace(two_lines(withdrawn=False), invitations_per_day=0)
    day = Day(capped).label("财经").reads(2500).wait(4 * HOUR)
    taken_up(day, replace(two_lines(withdrawn=True), invitations_per_day=0))
    assert (state(day), day.account().line) == ("INSIDE", 2000)
    assert state(day.reads(1950)) == "OUTSIDE"


def test_terms_pin_what_is_milder_later() -> None:
    terms = invited(policy(stability=stability(max_age=DAY * 9))).account().live.cycle.terms
    assert (terms.exit_ratio_ppm, terms.leave_after) == (900_000, 7 * DAY)
    assert (terms.max_age, terms.keep) == (9 * DAY, False)


def test_a_policy_that_ends_keep_puts_the_account_into_leaving_from_its_taking_up() -> None:
    day = delivered(policy(keep_on_fall_below=True, stability=stability(leave_after=HOUR)))
    day.wait(HOUR).reads(20).wait(5 * HOUR)
    assert (state(day), day.said()) == ("INSIDE", [])
    taken_up(day, second(keep_on_fall_below=False, stability=stability(leave_after=HOUR)))
    assert (state(day), day.said()) == ("LEAVING", [])
    assert day.wait(HOUR - 1).said() == []
    assert day.wait(1).said() == ["cancelled left"]


def test_a_line_that_comes_back_does_not_bring_back_what_was_over_it_before() -> None:
    """The count fell below while a version without the line was taken up, and nobody looked."""
    day = Day(policy(phases=line(1500))).label("财经").reads(2000).wait(2 * HOUR)
    assert day.said() == [ISSUED]
    day.open(second(phases=line(1000)))
    day.now += 31 * DAY
    day.reads(890)
    third = replace(policy(version=3), phases=line(1500), stability=stability(leave_after=DAY))
    day.open(third)
    said = day.wait(40 * DAY).said()
    assert said == ["cancelled left"], "nobody is invited at 890 followers under a line of 1,500"


# ---- the window ---------------------------------------------------------------------------------

REFUSAL_ALONE = replace(policy().consequence, on=frozenset({"declined"}))


def longer(days: int, **changes: object) -> Policy:
    """Version 2 with another window."""
    return second(notice=replace(policy().notice, answer_window=days * DAY), **changes)


@pytest.mark.parametrize("told", [False, True])
def test_a_longer_window_makes_no_refusal_of_what_was_silence_by_the_terms(told: bool) -> None:
    """By the terms the window was over without an answer when the refusal entered."""
    on = policy(consequence=REFUSAL_ALONE)
    day = delivered(on) if told else invited(on)
    issued = day.now
    taken_up(day, longer(20, consequence=REFUSAL_ALONE)).wait(WINDOW + DAY)
    day.answer("declined", at=issued + HOUR)
    assert day.said()[-1] == "declined answer"
    assert not restricts(day.wait(30 * DAY))


@pytest.mark.parametrize("told", [False, True])
def test_under_a_longer_window_a_refusal_within_the_terms_is_a_refusal(told: bool) -> None:
    on = policy(consequence=REFUSAL_ALONE)
    day = delivered(on) if told else invited(on)
    taken_up(day, longer(20, consequence=REFUSAL_ALONE)).wait(DAY).answer("declined")
    day.said()
    assert restricts(day.wait(30 * DAY))


def test_where_silence_restricts_too_the_longer_window_is_all_that_changes() -> None:
    day = delivered()
    taken_up(day, longer(20)).wait(WINDOW + DAY).answer("declined")
    assert not restricts(day.wait(10 * DAY))
    assert restricts(day.wait(10 * DAY))
