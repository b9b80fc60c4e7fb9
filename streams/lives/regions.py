"""Generates the accounts on which two policies are compared: one for each region of accounts.

The numbers, times, durations, labels and modes in the two policies divide all possible accounts
into regions. Each policy treats all accounts of one region alike, except that its events shift with
the instant at which the account appears. A region ends where such a shift would change the order of
two events.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise, product

from streams.core.model.ids import bucket
from streams.core.model.instants import DAY, SECOND
from streams.core.model.policy import Policy
from streams.lives.account import Answer, ImaginedAccount, smaller_first

Pair = tuple[Policy, Policy]
ANSWERS: tuple[Answer, ...] = ("silent", "declined")
LONG = 400 * DAY
QUARTER = 90 * DAY
MOST_IDS = 10_000


def representatives(a: Policy, b: Policy) -> list[ImaginedAccount]:
    """Returns an account of every region, the simplest first."""
    pair = (a, b)
    found: dict[ImaginedAccount, None] = {}
    for account_id, label, followers in product(_ids(pair), _labels(pair), _lines(pair)):
        for one in _of_place(pair, account_id, label, followers):
            found[one] = None
    return sorted(found, key=smaller_first)


def horizon(a: Policy, b: Policy, account: ImaginedAccount) -> int:
    """Returns the instant (ms) until which an account must be run, so that its first cycle ends."""
    pair = (a, b)
    dates = [at for at in _dates(pair) if at > account.since]
    longest = max(
        it.stability.dwell
        + (it.notice.answer_window or 0)
        + it.stability.leave_after
        + max(it.stability.cool_down, 0)
        for it in pair
    )
    end = max([account.since, *dates]) + longest + (account.falls_for or 0) + 2 * DAY
    return -(-end // QUARTER) * QUARTER


def _of_place(pair: Pair, account_id: str, label: str, followers: int) -> Iterator[ImaginedAccount]:
    base = ImaginedAccount(account_id, label, followers, 0)
    for since in _instants(pair):
        for answer in ANSWERS:
            yield replace(base, since=since, answer=answer)
    late = max(_dates(pair)) + LONG
    for since in _instants_lifted(pair, late):
        yield replace(base, since=since, lifted=True)
    for since, answer in product(_instants_heard_once(pair, late), ANSWERS):
        yield replace(base, since=since, answer=answer, heard_once=True)
    falls = product(_instants_of_fall(pair), _falls(pair, followers), _lengths_of_fall(pair))
    for since, falls_to, falls_for in falls:
        for answer in ANSWERS:
            yield replace(base, since=since, answer=answer, falls_to=falls_to, falls_for=falls_for)


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


def _dates(pair: Pair) -> list[int]:
    dates = {at for it in pair for phase in it.phases for at in (phase.starts_at, phase.answer_by)}
    return sorted(at for at in dates if at is not None) or [0]


def _between(cuts: Iterable[int]) -> list[int]:
    """Returns the cuts, an instant between each two of them, one before all and one after all."""
    ordered = sorted(set(cuts))
    middles = [(one + other) // 2 // SECOND * SECOND for one, other in pairwise(ordered)]
    return sorted({ordered[0] - DAY, *ordered, *middles, ordered[-1] + LONG})


def _instants(pair: Pair) -> list[int]:
    """Returns the instants at which an account may appear.

    Regions are cut where a phase begins at the start or the end of a dwell, where the dwells of the
    two policies end in another order, and where `answer_by` counts instead of the window.
    """
    return _between(_cuts(pair))


def _cuts(pair: Pair) -> list[int]:
    dwells = [it.stability.dwell for it in pair]
    difference = dwells[0] - dwells[1]
    offsets = {0, difference, -difference, *(-dwell for dwell in dwells)}
    cuts = [at + offset for at in _dates(pair) for offset in offsets]
    windows = {it.notice.answer_window or 0 for it in pair} | {0}
    for date in {phase.answer_by for it in pair for phase in it.phases} - {None}:
        cuts += [(date or 0) - dwell - window for dwell in dwells for window in windows]
    return cuts


def _instants_lifted(pair: Pair, late: int) -> list[int]:
    """Returns the instants for an account whose first cycle is lifted.

    Its next one may begin by another phase, in another mode. Regions are cut also where a phase
    begins when the cool-down ends.
    """
    ends = [at - it.stability.dwell - it.stability.cool_down for at in _dates(pair) for it in pair]
    return [*_between([*_cuts(pair), *ends]), late]


def _instants_heard_once(pair: Pair, late: int) -> list[int]:
    """Returns the instants for an account with a single reading.

    Regions are cut where the reading is just too old when the invitation or its deadline is due.
    """
    cuts = []
    for policy in pair:
        age = policy.stability.max_age
        if age is None:
            continue
        dwell, window = policy.stability.dwell, policy.notice.answer_window or 0
        for phase in policy.phases:
            if phase.starts_at is not None:
                issued = phase.starts_at + dwell
                cuts += [issued - age, issued + window - age]
            if phase.answer_by is not None:
                cuts.append(phase.answer_by - age)
    return [*_between([*cuts, *_instants(pair)]), late] if cuts else []


def _instants_of_fall(pair: Pair) -> list[int]:
    """Returns the instants for an account that falls below the line after its invitation.

    Regions are cut where another line is in force at the invitation.
    """
    starts = [phase.starts_at for it in pair for phase in it.phases if phase.starts_at is not None]
    dwells = {it.stability.dwell for it in pair} | {0}
    cuts = {start - dwell for start in starts for dwell in dwells} or {0}
    return [at for at in _between(cuts) if at not in cuts]


def _falls(pair: Pair, followers: int) -> list[int]:
    """Returns the counts to which an account falls: at each exit line, and one below it."""
    found = set()
    for policy in pair:
        for line in policy.lines:
            exit_line = -(-line * policy.stability.exit_ratio_ppm // 1_000_000)
            found |= {exit_line, exit_line - 1}
    return sorted(it for it in found if 0 <= it < followers)


def _lengths_of_fall(pair: Pair) -> list[int | None]:
    leaves = {it.stability.leave_after for it in pair}
    return [*sorted({max(leave, 2 * SECOND) + SECOND for leave in leaves} | {2 * SECOND}), None]
