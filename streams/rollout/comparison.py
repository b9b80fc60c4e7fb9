"""One rate of those before and of the new ones, block by block, and how many more it takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.rollout.cohorts import Change, Cohorts, LetIn, Rate
from streams.rollout.sequential import ALARM, Bet, Sizes, blocks_needed

MOST_IN_A_BLOCK = 4
"""Blocks have at most so many of one group, however far the share was raised."""


@dataclass(frozen=True, slots=True)
class Group:
    """Of how many accounts whose time was up it befell how many."""

    accounts: int
    befell: int

    @property
    def share(self) -> float | None:
        """The rate; None of nobody."""
        return self.befell / self.accounts if self.accounts else None


@dataclass(frozen=True, slots=True)
class Compared:
    """One rate. `evidence`: the most that a stake of 1 ever became; at `ALARM` it is higher.

    `needed`: accounts that it takes to find a doubling of the base rate, before and new; `more`:
    how many of these are still missing.
    """

    rate: Rate
    within: int
    before: Group
    new: Group
    evidence: float
    higher: bool
    base: float
    needed: tuple[int, int]
    more: tuple[int, int]

    @property
    def enough(self) -> bool:
        """Whether a doubling would have been found."""
        return not any(self.more)

    def as_dict(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "rate": self.rate.value,
            "within_seconds": self.within // 1000,
            **{
                name: {"accounts": it.accounts, "befell": it.befell, "share": it.share}
                for name, it in (("before", self.before), ("new", self.new))
            },
            "evidence": round(self.evidence, 3),
            "alarm_at": ALARM,
            "higher": self.higher,
            "base": self.base,
            "needed": dict(zip(("before", "new"), self.needed, strict=True)),
            "more": dict(zip(("before", "new"), self.more, strict=True)),
        }


def sizes_of(change: Change) -> Sizes:
    """The sizes of a block: as many of each group as the shares let in, 1 to 1 if they are alike.

    They depend on the two policies alone, never on what befell anybody.
    """
    if not change.raised or not change.before.percent:
        return Sizes()
    old, new = change.before.percent, change.after.percent - change.before.percent
    if old >= new:
        return Sizes(min(MOST_IN_A_BLOCK, round(old / new)), 1)
    return Sizes(1, min(MOST_IN_A_BLOCK, round(new / old)))


def compared(
    rate: Rate, groups: Mapping[str, Cohorts], change: Change, as_of: int, within: int
) -> Compared:
    """One rate over all phases that have both groups, as of an instant; each phase by itself."""
    sizes = sizes_of(change)
    bet = Bet(sizes)
    accounts, befell = [0, 0], [0, 0]
    blocks: list[tuple[int, str, int, int]] = []
    for phase, its in groups.items():
        if not (its.before and its.new):
            continue
        blocks += _blocks(rate, phase, its, sizes, as_of, within)
        for at, group in enumerate((its.before, its.new)):
            ripe = [it for it in group if it.issued_at + within <= as_of]
            accounts[at] += len(ripe)
            befell[at] += sum(it.befell(rate, within) for it in ripe)
    # By time alone: an order that knows what befell somebody would be no honest one.
    for _, phase, old, young in sorted(blocks, key=lambda it: it[:2]):
        bet.take(phase, old, young)
    before, new = (Group(*it) for it in zip(accounts, befell, strict=True))
    base = before.share or 0.0
    blocks_for = blocks_needed(base, sizes)
    return Compared(
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
    """Accounts that blocks still lack, before and new: those that no block has used yet count."""
    sizes = bet.sizes
    if not lacking:
        return 0, 0
    more = tuple(
        max(0, (bet.blocks + lacking) * size - ripe)
        for size, ripe in zip(sizes, (before, new), strict=True)
    )
    # What is spare lies in different phases: as many again.
    return (more[0], more[1]) if any(more) else (lacking * sizes.before, lacking * sizes.new)


def _blocks(
    rate: Rate, phase: str, its: Cohorts, sizes: Sizes, as_of: int, within: int
) -> Iterable[tuple[int, str, int, int]]:
    """Whole blocks whose time was up: when that was, the phase, how many of each group it befell.

    The first account whose time is not up ends them, so that a later look only adds to the end.
    """

    def ripe(group: list[LetIn]) -> list[LetIn]:
        for at, it in enumerate(group):
            if it.issued_at + within > as_of:
                return group[:at]
        return group

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
