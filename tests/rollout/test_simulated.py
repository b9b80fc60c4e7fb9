"""The test of a roll-out errs as seldom, and finds a doubling as soon, as it promises."""

import random
from itertools import product

import pytest

from streams.rollout.cohorts import CohortChange, Cohorts, CohortVersion, LetIn, Rate
from streams.rollout.comparison import compared
from streams.rollout.sequential import (
    ALARM,
    EFFECTS,
    FALSE_ALARM,
    Bet,
    Sizes,
    blocks_needed,
    rates_around,
)
from tests.rollout.simulated import MUST, NULL, SEED, WORSE, rollouts

FEW = 200


@pytest.mark.slow
def test_false_alarms_are_few_over_all_three_rates_and_not_without_the_correction() -> None:
    found = rollouts(NULL["three rates of 10 %"], FEW)
    assert found.share <= FALSE_ALARM
    assert found.uncorrected > FALSE_ALARM * FEW, "what the correction over three rates is for"


def test_the_correction_is_that_of_three_rates() -> None:
    assert ALARM * FALSE_ALARM == 3
    assert sum(share for _, share in EFFECTS) == 1


@pytest.mark.slow
def test_a_doubling_is_found_within_500_accounts_a_side() -> None:
    assert WORSE[MUST].blocks * max(WORSE[MUST].sizes) == 500
    assert rollouts(WORSE[MUST], FEW).share >= 0.8


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(1, 4), Sizes(4, 1)])
@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_a_block_is_a_fair_bet_or_worse_for_whoever_says_that_it_is_higher(
    p: float, sizes: Sizes
) -> None:
    """The expectation of each factor, summed over all outcomes, is at most 1."""
    for effect, _ in EFFECTS:
        low, high = rates_around(p, effect, sizes)
        assert 0 < low < p < high < 1
        assert sizes.before * low + sizes.new * high == pytest.approx(sum(sizes) * p)
        for true in (0.0, 0.02, 0.1, 0.3, 0.5, 0.97, 1.0):
            for new in (true, true * 0.7):
                assert expectation(p, low, high, sizes, true, new) <= 1 + 1e-9


def expectation(p: float, low: float, high: float, sizes: Sizes, true: float, new: float) -> float:
    total = 0.0
    for outcome in product((0, 1), repeat=sum(sizes)):
        chance = factor = 1.0
        for at, it in enumerate(outcome):
            mine, bet = (true, low) if at < sizes.before else (new, high)
            chance *= mine if it else 1 - mine
            factor *= bet / p if it else (1 - bet) / (1 - p)
        total += chance * factor
    return total


def test_a_rarer_thing_takes_more_accounts() -> None:
    needed = [blocks_needed(base, Sizes()) for base in (0.2, 0.1, 0.05, 0.02, 0.01)]
    assert needed == sorted(needed)
    assert needed[1] < 500
    assert blocks_needed(0, Sizes()) == needed[-1], "a doubling of nothing is nothing"
    assert blocks_needed(0.9, Sizes()) > 0


def test_once_higher_it_stays_so() -> None:
    bet = Bet(Sizes())
    for _ in range(40):
        bet.take("", 0, 1)
    assert bet.alarm
    most = bet.most
    for _ in range(400):
        bet.take("", 1, 0)
    assert bet.alarm
    assert bet.wealth < 1 < most == bet.most


@pytest.mark.slow
def test_blocks_are_made_without_a_look_at_what_befell_anybody() -> None:
    """Roll-outs in bursts, in two phases, each looked at five times, where nothing is worse."""
    chance, alarms = random.Random(SEED), 0
    change = CohortChange(
        "weibo", CohortVersion(1, 10, "enforce", 0, 0), CohortVersion(2, 20, "enforce", 50, 1)
    )

    def group(count: int, start: int, share: float) -> list[LetIn]:
        found = []
        for number in range(count):
            befell = {Rate.DECLINED: start} if chance.random() < share else {}
            found.append(LetIn(f"weibo:u{number}", start + number // 40, None, befell))
        return found

    for _ in range(FEW):
        groups = {
            phase: Cohorts(group(200, 0, share), group(200, 50, share))
            for phase, share in (("first", 0.1), ("second", 0.4))
        }
        looks = (compared(Rate.DECLINED, groups, change, at, 1) for at in range(50, 60, 2))
        alarms += any(it.higher for it in looks)
    assert alarms <= FEW / 40


@pytest.mark.slow
@pytest.mark.parametrize("silent", [(0.04, 0.04), (0.04, 0.01), (0.01, 0.04), (0.4, 0.02)])
def test_missing_receipts_of_either_side_give_no_false_alarm(silent: tuple[float, float]) -> None:
    """One in ten notices bounces on both sides; of some nothing is heard, oftener on one side."""
    chance, alarms = random.Random(SEED), 0
    change = CohortChange(
        "weibo", CohortVersion(1, 10, "enforce", 0, 0), CohortVersion(2, 20, "enforce", 50, 1)
    )

    def group(start: int, share: float) -> list[LetIn]:
        found = []
        for number in range(300):
            at = start + number // 40
            bounced = {Rate.UNDELIVERED: at} if chance.random() < 0.1 else {}
            heard = chance.random() >= share
            found.append(LetIn(f"u{number}", at, at if heard else None, bounced if heard else {}))
        return found

    for _ in range(FEW):
        groups = {"": Cohorts(group(0, silent[0]), group(50, silent[1]))}
        found = compared(Rate.UNDELIVERED, groups, change, 60, 1)
        assert found.before.accounts + found.before.unheard == 300
        alarms += found.higher
    assert alarms <= FEW / 40
