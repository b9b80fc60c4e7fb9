"""A statement of reasons never contradicts itself: line, phase and band belong together."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from schemas.statement import Band
from streams.core.model.account import decode_account, encode
from streams.core.model.policy import Phase, Policy
from streams.core.model.ports import ACCOUNTS
from streams.core.rules.statement import band
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, START, Day, policy, stability

LINE = 1_000_000
MILLION = Phase("million", LINE, START - 30 * DAY, None, None)
LATER = Phase("half-million", LINE // 2, START + 2 * DAY, None, None)
WINDOW = 3 * DAY


def of_a_million(**changes: Any) -> Policy:
    """The policy with a line of a million and an exit ratio of 0.9."""
    return policy(**{"phases": (MILLION,), **changes})


def delivered(followers: int, *policies: Policy) -> Day:
    """Invited with a count; the notice was delivered a minute after its issue."""
    day = Day(*(policies or (of_a_million(),))).label("财经").reads(followers)
    return day.wait(HOUR).wait(MINUTE).receipt()


def statements(day: Day) -> list[dict[str, Any]]:
    """The statements of the restrictions so far."""
    return [it["statement"] for it in day.events if it["event"] == "throttle.applied"]


def belongs_together(statement: dict[str, Any]) -> bool:
    """Whether the band reaches the line, and the exit line is not above it."""
    bands: tuple[str, ...] = get_args(Band)
    ground = statement["ground"]
    reached = bands.index(statement["facts"]["followers_band"]) >= bands.index(band(ground["line"]))
    return reached and (ground["exit_line"] or 0) <= ground["line"]


def test_the_band_is_that_of_the_count_on_which_the_invitation_rests() -> None:
    (said, *_) = statements(delivered(1_200_000).reads(960_000).wait(WINDOW))
    assert (said["ground"]["phase"], said["ground"]["line"]) == ("million", LINE)
    assert said["ground"]["exit_line"] == 900_000
    assert said["facts"]["followers_band"] == "1000000-4999999"


def test_a_count_that_rose_since_is_no_fact_of_the_invitation() -> None:
    (said, *_) = statements(delivered(1_200_000).reads(6_000_000).wait(WINDOW))
    assert said["facts"]["followers_band"] == "1000000-4999999"


@pytest.mark.parametrize("followers", [990_000, 900_000, 899_999, 600_000])
def test_a_phase_that_starts_in_between_leaves_line_and_band_together(followers: int) -> None:
    day = delivered(1_200_000, of_a_million(phases=(MILLION, LATER))).reads(followers)
    said = statements(day.wait(WINDOW + 20 * DAY))
    assert bool(said) == (followers >= 900_000)
    assert all(belongs_together(it) for it in said)


@pytest.mark.parametrize(
    "changed",
    [
        of_a_million(version=2, stability=stability(exit_ratio_ppm=500_000)),
        of_a_million(version=2, phases=(replace(MILLION, followers=500_000),)),
        of_a_million(version=2, phases=(MILLION, replace(LATER, starts_at=START - DAY))),
        of_a_million(version=2, keep_on_fall_below=True),
    ],
)
def test_a_policy_taken_up_in_between_leaves_line_and_band_together(changed: Policy) -> None:
    for followers in (1_000_000, 940_000, 600_000):
        day = delivered(1_200_000).wait(HOUR)
        day.open(changed)
        said = statements(day.reads(followers).wait(WINDOW + 20 * DAY))
        assert bool(said) == (followers >= 900_000)
        assert all(belongs_together(it) for it in said)


def test_where_falling_below_changes_nothing_no_exit_line_is_named() -> None:
    day = delivered(1_200_000, of_a_million(keep_on_fall_below=True)).reads(1_000)
    (said, *_) = statements(day.wait(WINDOW))
    assert said["ground"]["exit_line"] is None
    assert belongs_together(said)


def test_a_cycle_of_the_first_edition_was_invited_at_its_line_at_least() -> None:
    day = delivered(1_200_000).reads(960_000)
    key = f"{PLATFORM}:{ACCOUNT}".encode()
    account = decode_account(day.tables.state[ACCOUNTS][key])
    assert account.live.cycle is not None
    account.live.cycle.terms.followers = None
    day.tables.state[ACCOUNTS][key] = encode(account)
    day.open(of_a_million())
    (said, *_) = statements(day.wait(WINDOW))
    assert said["facts"]["followers_band"] == "1000000-4999999"
