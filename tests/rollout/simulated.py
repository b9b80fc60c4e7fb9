"""Simulated roll-outs: how often the test errs, and how soon it finds a doubling.

    python -m tests.rollout.simulated --write     # 10,000 a line: the table in README.md

A roll-out is a number of accounts a side, three rates, and a look after every block, as an operator
who looks all day would. It is the shipped test (`streams/rollout/sequential.py`), fed in memory.
"""

import argparse
import random
import time
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from streams.rollout import sequential
from streams.rollout.sequential import Bet, Sizes, blocks_needed

SEED = 16
ROLLOUTS = 10_000
PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"


class SimulatedRollout(NamedTuple):
    """The rates of those before and of the new ones, and blocks of a roll-out."""

    before: Sequence[float]
    new: Sequence[float]
    blocks: int
    sizes: Sizes = Sizes()
    dependent: bool = False
    """Whether the three happen to the same accounts."""


class FoundAlarms(NamedTuple):
    """What came of it: how many of the roll-outs had an alarm over all rates together, without
    the correction too, and the blocks until each.
    """

    rollouts: int
    after: list[int]
    uncorrected: int

    @property
    def share(self) -> float:
        """Roll-outs with an alarm."""
        return len(self.after) / self.rollouts

    def interval(self) -> tuple[float, float]:
        """Wilson's interval, 95 of 100."""
        n, z = self.rollouts, 1.96
        middle = (self.share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * sqrt(self.share * (1 - self.share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return middle - half, middle + half

    def median(self) -> int:
        """Blocks until half of all roll-outs have their alarm; 0 if fewer ever have."""
        at = self.rollouts // 2
        return sorted(self.after)[at] if len(self.after) > at else 0


def rollout(setting: SimulatedRollout, chance: random.Random) -> tuple[int | None, bool]:
    """One roll-out: the block after which it is held, or None; and whether a line for each rate
    alone, as if there were no other, would ever have been crossed.
    """
    bets = [Bet(setting.sizes) for _ in setting.before]
    draw, (old, young) = chance.random, setting.sizes
    bare = False
    for block in range(1, setting.blocks + 1):
        its = [draw() for _ in range(old + young)] if setting.dependent else []
        for bet, low, high in zip(bets, setting.before, setting.new, strict=True):
            if not setting.dependent:
                its = [draw() for _ in range(old + young)]
            bet.take("", sum(it < low for it in its[:old]), sum(it < high for it in its[old:]))
            if bet.most >= 1 / sequential.FALSE_ALARM:
                bare = True
                if bet.most >= sequential.ALARM:
                    return block, True
    return None, bare


def rollouts(setting: SimulatedRollout, count: int, seed: int = SEED) -> FoundAlarms:
    """So many of them."""
    chance = random.Random(seed)
    found = [rollout(setting, chance) for _ in range(count)]
    after = [block for block, _ in found if block is not None]
    return FoundAlarms(count, after, sum(bare for _, bare in found))


NULL: dict[str, SimulatedRollout] = {
    "three rates of 10 %": SimulatedRollout((0.1,) * 3, (0.1,) * 3, 1_000),
    "10 %, 5 %, 1 %": SimulatedRollout((0.1, 0.05, 0.01), (0.1, 0.05, 0.01), 1_000),
    "three rates of 30 %": SimulatedRollout((0.3,) * 3, (0.3,) * 3, 1_000),
    "10 %, the same accounts": SimulatedRollout((0.1,) * 3, (0.1,) * 3, 1_000, dependent=True),
    "10 %, 1 before to 4 new": SimulatedRollout((0.1,) * 3, (0.1,) * 3, 500, Sizes(1, 4)),
    "10 %, 4 before to 1 new": SimulatedRollout((0.1,) * 3, (0.1,) * 3, 500, Sizes(4, 1)),
}
"""Nothing is worse: every alarm is a false one."""


EVEN = Sizes()


def doubled(base: float, blocks: int, sizes: Sizes = EVEN) -> SimulatedRollout:
    """One rate doubles, the two others are there and stay."""
    return SimulatedRollout((base, 0.05, 0.01), (2 * base, 0.05, 0.01), blocks, sizes)


MUST = "10 % → 20 %"
WORSE: dict[str, SimulatedRollout] = {
    MUST: doubled(0.1, 500),
    "20 % → 40 %": doubled(0.2, blocks_needed(0.2, Sizes())),
    "5 % → 10 %": doubled(0.05, blocks_needed(0.05, Sizes())),
    "2 % → 4 %": doubled(0.02, blocks_needed(0.02, Sizes())),
    "1 % → 2 %": doubled(0.01, blocks_needed(0.01, Sizes())),
    "10 % → 20 %, 1 to 4": doubled(0.1, blocks_needed(0.1, Sizes(1, 4)), Sizes(1, 4)),
    "10 % → 20 %, 4 to 1": doubled(0.1, blocks_needed(0.1, Sizes(4, 1)), Sizes(4, 1)),
}
"""One rate of three is twice as high: an alarm is right. As many accounts as it says it takes."""


def figures(count: int) -> str:
    """The tables."""
    lines = [f"Seed {SEED}, a look after every block.", ""]
    lines += ["| nothing is worse | roll-outs | blocks | false alarms | 95 of 100 | uncorrected |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, setting in NULL.items():
        found = rollouts(setting, count)
        low, high = found.interval()
        bare = found.uncorrected / found.rollouts
        shares = f"{found.share:.2%} | {low:.2%} to {high:.2%} | {bare:.2%}"
        lines.append(f"| {name} | {count:,} | {setting.blocks:,} | {shares} |")
        print(lines[-1], flush=True)
    columns = "roll-outs | accounts before, new | found | 95 of 100 | half by"
    lines += ["", f"| one rate doubles | {columns} |", "|---|---|---|---|---|---|"]
    for name, setting in WORSE.items():
        fewer = count if name == MUST else count // 5
        found = rollouts(setting, fewer)
        low, high = found.interval()
        sizes, median = setting.sizes, found.median()
        accounts = f"{setting.blocks * sizes.before:,}, {setting.blocks * sizes.new:,}"
        half = f"{median * sizes.before:,}, {median * sizes.new:,}"
        shares = f"{found.share:.1%} | {low:.1%} to {high:.1%}"
        lines.append(f"| {name} | {fewer:,} | {accounts} | {shares} | {half} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    told = figures(options.rollouts)
    told += f"\n`python -m tests.rollout.simulated` took {time.monotonic() - began:,.0f} s.\n"
    if options.write:
        head, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(head + BEGIN + told + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
