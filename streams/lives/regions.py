"""Generates the accounts on which two policies are compared: one for each region of accounts.

The numbers, times, durations, labels and modes in the two policies divide all possible accounts
into regions. Each policy treats all accounts of one region alike, except that its events shift with
the instant at which the account appears. A region ends where such a shift would change the order of
two events.

Of policies with many phases there are too many regions to run an account of each. Then the simplest
accounts are run, and some of the others, spread over all of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product
from typing import NamedTuple

from streams.core.model.ids import bucket
from streams.core.model.instants import DAY, SECOND
from streams.core.model.policy import Phase, Policy
from streams.lives.account import Answer, ImaginedAccount, smaller_first

Pair = tuple[Policy, Policy]
ANSWERS: tuple[Answer, ...] = ("silent", "declined")
LONG = 400 * DAY
QUARTER = 90 * DAY
MOST_IDS = 10_000
MOST_ACCOUNTS = 20_000
"""How many accounts are run, unless the caller says otherwise: a minute or two of work."""
_STRIDE = 2_654_435_761
"""A prime above every number of regions; its multiples modulo that number are all different."""


class Representatives(NamedTuple):
    """The accounts to run, the simplest first. `regions`: how many there are, one of each."""

    accounts: list[ImaginedAccount]
    regions: int


def representatives(a: Policy, b: Policy, most: int = MOST_ACCOUNTS) -> Representatives:
    """Returns an account of every region; if there are more than `most`, so many of them."""
    pair = (a, b)
    names = list(product(_ids(pair), _labels(pair)))
    blocks = [
        block.of(account_id, label)
        for followers in _lines(pair)
        for block in _blocks(pair, followers)
        for account_id, label in names
        if len(block)
    ]
    regions = sum(map(len, blocks))
    accounts = list(_whole(blocks)) if regions <= most else _spread(blocks, most)
    return Representatives(sorted(accounts, key=smaller_first), regions)


def horizon(a: Policy, b: Policy, account: ImaginedAccount) -> int:
    """Returns the instant (ms) until which an account must be run, so that its first cycle ends."""
    pair = (a, b)
    dates = [at for at in _dates([*a.phases, *b.phases]) if at > account.since]
    longest = max(
        it.stability.dwell
        + (it.notice.answer_window or 0)
        + it.stability.leave_after
        + max(it.stability.cool_down, 0)
        for it in pair
    )
    end = max([account.since, *dates]) + longest + (account.falls_for or 0) + 2 * DAY
    return -(-end // QUARTER) * QUARTER


@dataclass(frozen=True, slots=True)
class _Block:
    """Accounts that differ only in when they appear, and in the count to which they fall."""

    base: ImaginedAccount
    instants: Sequence[int]
    falls: Sequence[int | None] = (None,)

    def __len__(self) -> int:
        return len(self.instants) * len(self.falls)

    def of(self, account_id: str, label: str) -> "_Block":
        return replace(self, base=replace(self.base, account_id=account_id, label=label))

    def account(self, place: int) -> ImaginedAccount:
        at, fall = divmod(place, len(self.falls))
        return replace(self.base, since=self.instants[at], falls_to=self.falls[fall])


def _blocks(pair: Pair, followers: int) -> Iterator[_Block]:
    """Yields the accounts of one count, without id and label."""
    base = ImaginedAccount("", "", followers, 0)
    late = max(_dates(_phases(pair, followers))) + LONG
    for answer in ANSWERS:
        yield _Block(replace(base, answer=answer), _instants(pair, followers))
    yield _Block(replace(base, lifted=True), _instants_lifted(pair, followers, late))
    for answer in ANSWERS:
        heard = replace(base, answer=answer, heard_once=True)
        yield _Block(heard, _instants_heard_once(pair, followers, late))
    instants, falls = _instants_of_fall(pair, followers), _falls(pair, followers)
    for falls_for, answer in product(_lengths_of_fall(pair), ANSWERS):
        yield _Block(replace(base, answer=answer, falls_for=falls_for), instants, falls)


def _whole(blocks: Iterable[_Block]) -> Iterator[ImaginedAccount]:
    return (block.account(place) for block in blocks for place in range(len(block)))


def _spread(blocks: list[_Block], most: int) -> list[ImaginedAccount]:
    """Returns `most` accounts: the simplest blocks for one half, the other half from the rest.

    It depends on the policies alone, so that every run tries the same accounts.
    """
    left = sorted(blocks, key=lambda block: smaller_first(block.account(0))[:2])
    simple = 0
    for count in accumulate(map(len, left)):
        if count > most // 2:
            break
        simple += 1
    accounts = list(_whole(left[:simple]))
    ends = list(accumulate(map(len, left[simple:])))
    for number in range(most - len(accounts)):
        place = number * _STRIDE % ends[-1]
        at = bisect_right(ends, place)
        block = left[simple + at]
        accounts.append(block.account(place - ends[at] + len(block)))
    return accounts


def _ids(pair: Pair) -> list[str]:
    """Returns an account id for each part into which the two roll-out percentages divide all."""
    shares = sorted({0, *(it.rollout_percent for it in pair)})
    found = []
    for low, high in pairwise(shares):
        for number in range(1, MOST_IDS):
            name = f"account-{number}"
            if low <= bucket(pair[0].platform, name) < high:
                found.append(name)
                break
    return found


def _labels(pair: Pair) -> list[str]:
    """Returns the shortest label that both policies cover, that only one covers, and the other."""
    kinds: dict[tuple[bool, bool], str] = {}
    for label in sorted({*pair[0].labels, *pair[1].labels}, key=lambda it: (len(it), it)):
        kind = (pair[0].field_of(label) is not None, pair[1].field_of(label) is not None)
        if any(kind):
            kinds.setdefault(kind, label)
    return list(kinds.values())


def _lines(pair: Pair) -> list[int]:
    return sorted({line for policy in pair for line in policy.lines})


def _phases(pair: Pair, followers: int) -> list[Phase]:
    """Returns the phases that an account can be in that never has more followers.

    A phase with a higher line changes nothing for it, whenever that phase begins.
    """
    return [it for policy in pair for it in policy.phases if it.followers <= followers]


def _dates(phases: Sequence[Phase]) -> list[int]:
    dates = {at for phase in phases for at in (phase.starts_at, phase.answer_by)}
    return sorted(at for at in dates if at is not None) or [0]


def _between(cuts: Iterable[int]) -> list[int]:
    """Returns the cuts, an instant between each two of them, one before all and one after all."""
    ordered = sorted(set(cuts))
    middles = [(one + other) // 2 // SECOND * SECOND for one, other in pairwise(ordered)]
    return sorted({ordered[0] - DAY, *ordered, *middles, ordered[-1] + LONG})


def _instants(pair: Pair, followers: int) -> list[int]:
    """Returns the instants at which an account may appear.

    Regions are cut where a phase begins at the start or the end of a dwell, where the dwells of the
    two policies end in another order, and where `answer_by` counts instead of the window.
    """
    return _between(_cuts(pair, followers))


def _cuts(pair: Pair, followers: int) -> list[int]:
    phases = _phases(pair, followers)
    dwells = [it.stability.dwell for it in pair]
    difference = dwells[0] - dwells[1]
    offsets = {0, difference, -difference, *(-dwell for dwell in dwells)}
    cuts = [at + offset for at in _dates(phases) for offset in offsets]
    windows = {it.notice.answer_window or 0 for it in pair} | {0}
    for date in {phase.answer_by for phase in phases} - {None}:
        cuts += [(date or 0) - dwell - window for dwell in dwells for window in windows]
    return cuts


def _instants_lifted(pair: Pair, followers: int, late: int) -> list[int]:
    """Returns the instants for an account whose first cycle is lifted.

    Its next one may begin by another phase, in another mode. Regions are cut also where a phase
    begins when the cool-down ends.
    """
    dates = _dates(_phases(pair, followers))
    ends = [at - it.stability.dwell - it.stability.cool_down for at in dates for it in pair]
    return sorted({*_between([*_cuts(pair, followers), *ends]), late})


def _instants_heard_once(pair: Pair, followers: int, late: int) -> list[int]:
    """Returns the instants for an account with a single reading.

    Regions are cut where the reading is just too old when the invitation or its deadline is due.
    """
    cuts = []
    for policy in pair:
        age = policy.stability.max_age
        if age is None:
            continue
        dwell, window = policy.stability.dwell, policy.notice.answer_window or 0
        for phase in _phases((policy, policy), followers):
            if phase.starts_at is not None:
                issued = phase.starts_at + dwell
                cuts += [issued - age, issued + window - age]
            if phase.answer_by is not None:
                cuts.append(phase.answer_by - age)
    return sorted({*_between([*cuts, *_instants(pair, followers)]), late}) if cuts else []


def _instants_of_fall(pair: Pair, followers: int) -> list[int]:
    """Returns the instants for an account that falls below the line after its invitation.

    Regions are cut where another line is in force at the invitation.
    """
    phases = _phases(pair, followers)
    starts = [phase.starts_at for phase in phases if phase.starts_at is not None]
    dwells = {it.stability.dwell for it in pair} | {0}
    cuts = {start - dwell for start in starts for dwell in dwells} or {0}
    return [at for at in _between(cuts) if at not in cuts]


def _falls(pair: Pair, followers: int) -> list[int]:
    """Returns the counts to which an account falls: at each exit line, and one below it."""
    found = set()
    for policy in pair:
        for line in policy.lines:
            exit_line = -(-line * policy.stability.exit_ratio_ppm // 1_000_000)
            found |= {exit_line, exit_line - 1} if line <= followers else set()
    return sorted(it for it in found if 0 <= it < followers)


def _lengths_of_fall(pair: Pair) -> list[int | None]:
    leaves = {it.stability.leave_after for it in pair}
    return [*sorted({max(leave, 2 * SECOND) + SECOND for leave in leaves} | {2 * SECOND}), None]
