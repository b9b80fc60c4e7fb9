"""Compares one rate of both groups block by block, and says how many more accounts are needed.

A block is a fixed number of accounts of each group, which the test takes at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from streams.rollout.cohorts import CohortChange, Cohorts, LetIn, Rate
from streams.rollout.sequential import ALARM, Bet, Sizes, blocks_needed

MOST_IN_A_BLOCK = 4
"""How many accounts of one group a block has at most, however far the share was raised."""


@dataclass(frozen=True, slots=True)
class CohortGroup:
    """How many accounts of a group are judged, and to how many of them it happened.

    `unheard`: how many are left out although their time is up, for no receipt came: nobody knows
    whether their notice was delivered.
    """

    accounts: int
    befell: int
    unheard: int = 0

    @property
    def share(self) -> float | None:
        """The rate; None if no account is judged yet."""
        return self.befell / self.accounts if self.accounts else None


@dataclass(frozen=True, slots=True)
class RateComparison:
    """The comparison of one rate.

    `within`: ms after the invitation. `evidence`: the most that a stake of 1 ever became in the
    test. `higher`: it reached ALARM, so the rate is higher among the new accounts. `base`: the rate
    before. `needed`: how many accounts, before and new, it takes to find a doubling of that;
    `more`: how many of these are still missing.
    """

    rate: Rate
    within: int
    before: CohortGroup
    new: CohortGroup
    evidence: float
    higher: bool
    base: float
    needed: tuple[int, int]
    more: tuple[int, int]

    @property
    def enough(self) -> bool:
        """Whether there are enough accounts to find a doubling."""
        return not any(self.more)

    def as_dict(self) -> dict[str, Any]:
        """Returns the comparison as JSON of `byline rollout status --json`."""
        return {
            "rate": self.rate.value,
            "within_seconds": self.within // 1000,
            **{
                name: {
                    "accounts": it.accounts,
                    "befell": it.befell,
                    "share": it.share,
                    "unheard": it.unheard,
                }
                for name, it in (("before", self.before), ("new", self.new))
            },
            "evidence": round(self.evidence, 3),
            "alarm_at": ALARM,
            "higher": self.higher,
            "base": self.base,
            "needed": dict(zip(("before", "new"), self.needed, strict=True)),
            "more": dict(zip(("before", "new"), self.more, strict=True)),
        }


def sizes_of(change: CohortChange) -> Sizes:
    """Returns the sizes of a block, in proportion to the shares that the two versions let in.

    They depend only on the two policies, never on what happened to accounts, else the test would
    not be valid.
    """
    if not change.raised or not change.before.percent:
        return Sizes()
    old, new = change.before.percent, change.after.percent - change.before.percent
    if old >= new:
        return Sizes(min(MOST_IN_A_BLOCK, round(old / new)), 1)
    return Sizes(1, min(MOST_IN_A_BLOCK, round(new / old)))


def compared(
    rate: Rate, groups: Mapping[str, Cohorts], change: CohortChange, as_of: int, within: int
) -> RateComparison:
    """Compares one rate as of `as_of` (ms), over all phases that have both groups.

    A block has accounts of one phase only, of which it is known whether it happened. `within`: ms
    after the invitation.
    """
    sizes = sizes_of(change)
    bet = Bet(sizes)
    accounts, befell, unheard = [0, 0], [0, 0], [0, 0]
    blocks: list[tuple[int, str, int, int]] = []
    for phase, its in groups.items():
        if not (its.before and its.new):
            continue
        blocks += _blocks(rate, phase, its, sizes, as_of, within)
        for at, group in enumerate((its.before, its.new)):
            ripe = [it for it in group if it.issued_at + within <= as_of]
            known = [it for it in ripe if it.known(rate, within)]
            accounts[at] += len(known)
            befell[at] += sum(it.befell(rate, within) for it in known)
            unheard[at] += len(ripe) - len(known)
    # The blocks are ordered by time only: an order that depends on results would bias the test.
    for _, phase, old, young in sorted(blocks, key=lambda it: it[:2]):
        bet.take(phase, old, young)
    before, new = (CohortGroup(*it) for it in zip(accounts, befell, unheard, strict=True))
    base = before.share or 0.0
    blocks_for = blocks_needed(base, sizes)
    return RateComparison(
        rate,
        within,
        before,
        new,
        bet.most,
        bet.alarm,
        base,
        (blocks_for * sizes.before, blocks_for * sizes.new),
        _more(max(0, blocks_for - bet.blocks), bet, before.accounts, new.accounts),
    )


def _more(lacking: int, bet: Bet, before: int, new: int) -> tuple[int, int]:
    """Returns how many accounts, before and new, `lacking` blocks still need.

    Accounts that are judged but in no block yet are subtracted.
    """
    sizes = bet.sizes
    if not lacking:
        return 0, 0
    more = tuple(
        max(0, (bet.blocks + lacking) * size - ripe)
        for size, ripe in zip(sizes, (before, new), strict=True)
    )
    # There are enough accounts, but in different phases, so no block fills: ask for as many again.
    return (more[0], more[1]) if any(more) else (lacking * sizes.before, lacking * sizes.new)


def _blocks(
    rate: Rate, phase: str, its: Cohorts, sizes: Sizes, as_of: int, within: int
) -> Iterable[tuple[int, str, int, int]]:
    """Yields the complete blocks: when (ms) the last account could be judged, phase, both counts.

    The first account of a group that cannot be judged yet ends them, so that a later look only adds
    blocks at the end. An account of which nothing is known when its time is up is left out for
    good.
    """

    def ripe(group: list[LetIn]) -> list[LetIn]:
        judged = takewhile(lambda it: it.issued_at + within <= as_of, group)
        return [it for it in judged if it.known(rate, within)]

    before, new = ripe(its.before), ripe(its.new)
    for at in range(min(len(before) // sizes.before, len(new) // sizes.new)):
        old = before[at * sizes.before : (at + 1) * sizes.before]
        young = new[at * sizes.new : (at + 1) * sizes.new]
        up = max(it.issued_at for it in (*old, *young)) + within
        yield (
            up,
            phase,
            sum(it.befell(rate, within) for it in old),
            sum(it.befell(rate, within) for it in young),
        )
