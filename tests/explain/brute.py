"""Every single change of the stated kinds, one by one: `python -m tests.explain.brute`.

What `nearest` tells of random accounts is held to a search that knows nothing of lines: each count
upwards and downwards from the known one, follower by follower, until one alters what happens (where
nothing is told: down to none, and up to twice the line, then in steps); each label of the policy;
each answer; and of a grant every hour at which it could still be given. The world is the core,
opened on what the recording has stored. Prints one line of JSON; exit 1 where anything differs.
"""

import argparse
import copy
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.core.lifecycle import OPEN, Invitation
from streams.core.model.account import Account
from streams.core.model.ports import ACCOUNTS, CATEGORIES
from streams.core.rules.applicable_phase import label_field
from streams.explain.gather import from_index
from streams.explain.nearest import Change, Kind, Nearest, nearest
from tests.core.given import DAY, HOUR, SECOND, Tables
from tests.explain.proof import Accounts, random_life
from tests.explain.test_nearest import AHEAD, Events, first_of, lived
from tests.operate.recording import Tape

TOP = 2_000
"""Up to here every count is tried; the lines of the policies lie at 1,000 and below."""
STEPS_TO = 30_000
Act = Callable[[Tape], object]


class World:
    """What a recording has stored, to be opened as often as one likes."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._policies = tuple(tape.partition._policies.values())
        self.tried = 0

    def after(self, act: Act) -> Events:
        """What happens first once something was done."""
        self.tried += 1
        world = copy.copy(self._tape)
        world.tables, world.inputs = Tables(), []
        kept = self._tape.tables.state
        world.tables.state = {store: dict(kept[store]) for store in (ACCOUNTS, CATEGORIES)}
        world._offsets = defaultdict(int, self._tape._offsets)
        world._echoed = 0
        world.open(*self._policies)
        act(world)
        end = world.now + AHEAD
        while not (found := first_of(world.events)):
            due = world.partition.due()
            if due is None or due > end:
                break
            world.wait(max(due - world.now, 0))
        return found


def differing(tape: Tape, told: Nearest) -> Iterator[tuple[str, int]]:
    """What of what is told does not hold, and at last an empty text; with how many were tried."""
    world, account = World(tape), tape.account("p1")
    without = world.after(lambda _: None)
    if not without == lived(tape) == told.without.events:
        yield f"without a change: {without}, told is {told.without.events}", 0
    for fault in (
        *_counts(world, account, told, without),
        *_labels(world, tape, account, told, without),
        *_answers(world, tape, account, told, without),
    ):
        yield fault, 0
    yield "", world.tried


def _counts(world: World, account: Account, told: Nearest, without: Events) -> Iterator[str]:
    known = account.followers or 0
    for kind, sign in ((Kind.MORE, 1), (Kind.FEWER, -1)):
        sizes = [it.by or 0 for it in told.changes if it.kind is kind]
        said = min(sizes, default=None)
        found = next(
            (by for by in _sizes(known, sign) if _altered(world, known + sign * by, without)), None
        )
        if found != said and not (account.followers is None and sign > 0):
            yield f"{kind}: {found} is the smallest that alters it, told is {said}"


def _sizes(known: int, sign: int) -> Iterable[int]:
    if sign < 0:
        return range(1, known + 1)
    top = max(TOP, known + 1)
    return (*range(1, top - known), *range(top - known, STEPS_TO - known, 997))


def _altered(world: World, count: int, without: Events) -> bool:
    return world.after(lambda it: it.reads(count, "p1")) != without


def _labels(
    world: World, tape: Tape, account: Account, told: Nearest, without: Events
) -> Iterator[str]:
    policy = next(iter(tape.partition._policies.values()))
    covered = label_field(account, policy, tape.now) is not None
    texts = policy.exempt_labels if covered else [*policy.labels]
    kind = Kind.NO_LABEL if covered else Kind.LABEL
    said = any(it.kind is kind for it in told.changes)
    found = [it for it in texts if world.after(lambda at, it=it: at.label(it, "p1")) != without]
    if said != bool(found):
        yield f"{kind}: told is {said}, of {list(texts)} there alter it {found}"
    if account.exempt:
        ended = world.after(lambda it: it.change("exemption_ended", "p1")) != without
        if ended != any(it.kind is Kind.EXEMPTION_ENDS for it in told.changes):
            yield f"{Kind.EXEMPTION_ENDS}: {ended}"


def _answers(
    world: World, tape: Tape, account: Account, told: Nearest, without: Events
) -> Iterator[str]:
    state = account.live.state
    for kind, word, asked in (
        (Kind.GRANT, "granted", state in OPEN),
        (Kind.WITHDRAW, "withdrawn", state is Invitation.GRANTED),
    ):
        changes = [it for it in told.changes if it.kind is kind]
        altered = asked and world.after(lambda it, word=word: it.answer(word, "p1")) != without
        if altered != bool(changes):
            yield f"{kind}: told is {bool(changes)}, it alters: {altered}"
        for change in changes:
            if change.until is not None:
                yield from _hours(world, tape, change)


def _hours(world: World, tape: Tape, change: Change) -> Iterator[str]:
    """A grant until its last instant has the outcome that is said; later ones have not."""
    last = change.until or 0
    for at in [*range(tape.now + HOUR, last, HOUR), last]:
        if world.after(lambda it, at=at: _granted_at(it, at)) != change.outcome.events:
            yield f"{change.kind}: at {at} it has another outcome, told is until {last}"
            return
    for at in (last + SECOND, last + HOUR, last + DAY):
        if world.after(lambda it, at=at: _granted_at(it, at)) == change.outcome.events:
            yield f"{change.kind}: at {at} it has the same outcome, told is until {last}"
            return


def _granted_at(world: Tape, at: int) -> None:
    # What enters at the instant of a deadline is read before the deadline acts.
    if at > world.now:
        world.wait(at - world.now - 1)
        world.now += 1
    world.answer("granted", "p1")


def main() -> int:
    """Run so many accounts from a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=15)
    options = parser.parse_args()
    began, wrong, tried = time.monotonic(), 0, 0
    kinds: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        accounts = Accounts(Path(name))
        for number in range(options.accounts):
            tape = random_life(random.Random(f"{options.seed}/{number}"))
            with accounts.index_of(tape) as engine:
                told = nearest(from_index(engine, "weibo:p1"), tape.now)
            assert told is not None
            kinds.update(str(it.kind) for it in told.changes)
            kinds["none"] += not told.changes
            for fault, count in differing(tape, told):
                tried += count
                if fault:
                    wrong += 1
                    sys.stderr.write(f"account {number}: {fault}\n")
    found = {
        "accounts": options.accounts,
        "seed": options.seed,
        "changes": dict(kinds.most_common()),
        "tried": tried,
        "wrong": wrong,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
