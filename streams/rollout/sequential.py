"""A sequential test of two rates, whose result may be looked at as often as one likes.

It bets against the hypothesis that the accounts let in by the change fare no worse than those
before. Accounts come in blocks: `before` of the one group and `new` of the other, in the order in
which they could be judged. Before a block is used, p is the rate so far in its stratum (the phase),
over both groups, and for each effect r of `EFFECTS` there are two rates a < p < b with

    b = r a,    before·a + new·b = (before + new)·p

(where r a would be more than halfway from p to 1, b is halfway). The block multiplies the wealth
of this effect by

    (a/p)^x (1-a / 1-p)^(before-x) · (b/p)^y (1-b / 1-p)^(new-y),

x and y being how many of either group it happened to. The expectation of each factor is linear in
the true rate, 1 where that is p. If both groups have one rate, the inequality of the means bounds
the product's expectation by 1; if the new group's is lower, it is lower still. So the wealth is a
test supermartingale whatever the rate is, and by Ville's inequality it ever reaches c with a
probability of at most 1/c. The wealth of a rate is the mean over the effects. Three rates are
judged side by side, so each has to reach three times 20 (Bonferroni, whatever the three have to do
with one another): a false alarm in at most 5 of 100 roll-outs, over all rates and looks together.

Sources:

* R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact sequential k-sample tests that allow
  for optional stopping", Journal of Statistical Planning and Inference 230 (2024), 106116: blocks,
  the two rates around p, learning p as one goes.
* R. Turner, P. Grünwald, "Safe Sequential Testing and Effect Estimation in Stratified Count Data",
  AISTATS 2023: strata.
* A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe anytime-valid
  inference", Statistical Science 38 (2023): Ville's inequality, means of wealth.

`tests/rollout/README.md` has 10,000 simulated roll-outs.
"""

from functools import lru_cache
from math import ceil, log, sqrt
from typing import NamedTuple

FALSE_ALARM = 0.05
RATES = 3
ALARM = RATES / FALSE_ALARM
"""The wealth at which one of the three rates is called higher."""

DOUBLING, ITS_SHARE = 2.0, 0.5
EFFECTS: tuple[tuple[float, float], ...] = ((1.5, 0.25), (DOUBLING, ITS_SHARE), (4.0, 0.25))
"""Each effect (how many times higher) and its share of the stake. A doubling is the target."""

FIRST_GUESS, GUESSED_FROM = 1, 10
"""The guess of a rate before the first block: 1 in 10. A wrong guess only costs more accounts."""

LOWEST_BASE = 0.01
"""The lowest base rate for counting needed accounts: a doubled rate of 0 is still 0."""

HIGHEST_BASE = 0.99
"""The highest base rate for counting needed accounts: a rate of 1 could not increase."""

POWER_QUANTILE = 0.8416
"""The 80 per cent quantile of the normal distribution, for a power of 80 in 100."""

_MOST_WEALTH = 1e200


class Sizes(NamedTuple):
    """How many accounts of each group make a block; fixed before any result is seen."""

    before: int = 1
    new: int = 1


class Bet:
    """The wealth of one rate, block by block. `most`: its highest value. `blocks`: how many."""

    __slots__ = ("_seen", "_wealth", "blocks", "most", "sizes")

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.blocks = 0
        self.most = 1.0
        self._wealth = [share for _, share in EFFECTS]
        self._seen: dict[str, tuple[int, int]] = {}

    def take(self, stratum: str, before: int, new: int) -> None:
        """Takes a block of a stratum: to how many accounts of each group it happened."""
        happened, accounts = self._seen.get(stratum, (FIRST_GUESS, GUESSED_FROM))
        factors = _factors(happened, accounts, before, new, self.sizes)
        self._wealth = [
            min(its * factor, _MOST_WEALTH)
            for its, factor in zip(self._wealth, factors, strict=True)
        ]
        self._seen[stratum] = (happened + before + new, accounts + sum(self.sizes))
        self.blocks += 1
        self.most = max(self.most, sum(self._wealth))

    @property
    def wealth(self) -> float:
        """The present value of the bet, which began with 1."""
        return sum(self._wealth)

    @property
    def alarm(self) -> bool:
        """Whether the rate is called higher; once it is, it stays so."""
        return self.most >= ALARM


@lru_cache(maxsize=1 << 17)
def _factors(
    happened: int, accounts: int, before: int, new: int, sizes: Sizes
) -> tuple[float, ...]:
    """Returns the factor by which a block multiplies the wealth of each effect."""
    p = happened / accounts
    found = []
    for effect, _ in EFFECTS:
        low, high = rates_around(p, effect, sizes)
        factor = (low / p) ** before * ((1 - low) / (1 - p)) ** (sizes.before - before)
        factor *= (high / p) ** new * ((1 - high) / (1 - p)) ** (sizes.new - new)
        found.append(factor)
    return tuple(found)


def rates_around(p: float, effect: float, sizes: Sizes) -> tuple[float, float]:
    """Returns the rates a and b of an effect, whose mean over a block is p."""
    before, new = sizes
    low = p * (before + new) / (before + effect * new)
    high = effect * low
    most = (1 + p) / 2
    if high <= most:
        return low, high
    return ((before + new) * p - new * most) / before, most


def blocks_needed(base: float, sizes: Sizes) -> int:
    """Returns how many blocks it takes to find a doubled rate in 80 of 100 roll-outs.

    It treats the logarithm of the wealth as a random walk with the drift and variance of one block
    under these rates, which has to climb from its share of the stake to ALARM.
    """
    a = min(max(base, LOWEST_BASE), HIGHEST_BASE)
    b = min(DOUBLING * a, (1 + a) / 2)
    p = (sizes.before * a + sizes.new * b) / sum(sizes)
    drift = variance = 0.0
    for count, rate in ((sizes.before, a), (sizes.new, b)):
        won, lost = log(rate / p), log((1 - rate) / (1 - p))
        drift += count * (rate * won + (1 - rate) * lost)
        variance += count * rate * (1 - rate) * (won - lost) ** 2
    climb = log(ALARM / ITS_SHARE)
    spread = POWER_QUANTILE * sqrt(variance)
    return ceil(((spread + sqrt(spread**2 + 4 * drift * climb)) / (2 * drift)) ** 2)
