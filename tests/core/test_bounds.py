"""100,000 of any input on one key: what is kept is bounded, and each costs what the first cost.

The figures are those of the contract's second edition: bytes after 100,000 at most 1.1 times those
after 2,000, microseconds an input at most 1.5 times. The long run is asked for by hand
(`BYLINE_TEST_BOUND=100000`); the short one holds twice as many as fill every bound to the same
ratios.
"""

import math
import os
import time
from collections.abc import Callable

import pytest

from streams.core.model.instants import rfc3339
from streams.core.partition import Partition
from tests.core.given import DAY, MINUTE, PLATFORM, SECOND, Day
from tests.core.states import delivered, granted

ASKED = os.environ.get("BYLINE_TEST_BOUND")


def bounds(kind: str) -> tuple[int, int]:
    """How many inputs are few, and how many are many.

    By 1,000 every bound of an account is reached (256 controls, 100 receipts, 64 stops, 16
    appeals); the 1,000 stops of a scope need 2,000 switches.
    """
    few = 2_000 if ASKED or kind.startswith("switches") else 1_000
    return few, int(ASKED or 2 * few)


TURN, FEWEST, MOST = 100, 10, 40
"""Inputs of a turn in which time is taken, and how many turns."""
GROWTH = 1.5
"""How many times as much an input may cost after many as after few."""

pytestmark = pytest.mark.slow

Act = Callable[[Day, int], object]

KINDS: dict[str, Act] = {
    "readings": lambda day, number: day.reads(1500 + number % 7),
    "readings over and under the line": lambda day, number: day.reads(1500 - 700 * (number % 2)),
    "labels": lambda day, number: day.label("财经" if number % 2 else "法律"),
    "labels that come and go": lambda day, number: day.label("财经" if number % 2 else "日常生活"),
    "account changes": lambda day, number: day.change(
        ("exempted", "exemption_ended", "owner_changed", "reopened")[number % 4]
    ),
    "closings": lambda day, number: day.change(("closed", "reopened")[number % 2]),
    "receipts": lambda day, number: day.receipt(),
    "receipts of a failure": lambda day, number: day.receipt(
        ("failed", "delivered")[number % 2], failure=("blocked", None)[number % 2]
    ),
    "answers": lambda day, number: day.answer(("declined", "withdrawn")[number % 2]),
    "answers that do not fit": lambda day, number: day.answer(
        "granted", notice_version=f"v{number}", invitation_id=f"i{number}"
    ),
    "holds": lambda day, number: day.control(("hold", "unhold")[number % 2]),
    "holds that end": lambda day, number: day.control(
        "hold", expires_at=rfc3339(day.now + SECOND // 2)
    ),
    "appeals": lambda day, number: day.control(
        ("appeal_opened", "appeal_rejected")[number % 2], appeal_id=f"a{number // 2}"
    ),
    "appeals nobody answers": lambda day, number: day.control(
        "appeal_opened", appeal_id=f"a{number}"
    ),
    "reissues": lambda day, number: day.control("reissue"),
    "extensions": lambda day, number: day.control("extend", until=rfc3339(day.now + 4 * DAY)),
    "settles": lambda day, number: day.control("settle"),
    "switches": lambda day, number: day.switch("adverse_off", number % 2 == 0),
    "switches of a platform": lambda day, number: day.switch(
        "answers_paused", number % 2 == 0, scope=PLATFORM
    ),
    "switches that never stop": lambda day, number: day.switch("invitations_off", number % 2 == 0),
}


def size(day: Day) -> int:
    """Bytes of all that is kept."""
    stores = day.tables.state.values()
    return sum(len(key) + len(value) for kept in stores for key, value in kept.items())


def run(day: Day, act: Act, first: int, count: int) -> float:
    """Apply inputs a second apart; microseconds of this process for each."""
    started = time.process_time()
    for number in range(first, first + count):
        day.now += SECOND
        act(day, number)
    taken = time.process_time() - started
    day.tables.outputs.clear()
    day.tables.raw.clear()
    day._seen = 0
    day.run_timers()
    return taken / count * 1e6


def least_costs(act: Act, early: tuple[Day, int], late: tuple[Day, int]) -> tuple[float, float]:
    """The least that an input costs on each day, in microseconds, from its number on.

    Time is taken in turns, and in more of them while the late one costs too much: a busy machine
    slows a processor for a while, and a cost that has grown stays.
    """
    least_early = least_late = math.inf
    for turn in range(MOST):
        if turn >= FEWEST and least_late <= GROWTH * least_early:
            break
        cost_early, cost_late = (
            run(day, act, first + turn * TURN, TURN) for day, first in (early, late)
        )
        least_early, least_late = min(least_early, cost_early), min(least_late, cost_late)
    return least_early, least_late


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_bounded_and_the_cost_linear(kind: str) -> None:
    act, (few, many) = KINDS[kind], bounds(kind)
    early, late = delivered(), delivered()
    run(early, act, 0, few)
    for first in range(0, many, few):
        run(late, act, first, few)
    bytes_early, bytes_late = size(early), size(late)
    cost_early, cost_late = least_costs(act, (early, few), (late, many))
    print(f"{kind}: {bytes_early} and {bytes_late} bytes")
    print(f"{cost_early:.0f} and {cost_late:.0f} us an input")
    assert bytes_late <= 1.1 * bytes_early
    assert cost_late <= GROWTH * cost_early
    assert len(late.partition.schedule._heap) <= 64, "no more entries than accounts that wait"


def test_a_partition_that_read_much_of_one_key_opens_as_fast_as_any() -> None:
    day = granted()
    run(day, KINDS["holds"], 0, 2_000)
    run(day, KINDS["switches"], 0, 2_000)
    policies = list(day.partition._policies.values())
    started = time.process_time()
    day.open(*policies)
    assert time.process_time() - started < 0.1
    assert isinstance(day.partition, Partition)
    assert day.wait(MINUTE).said() == []
