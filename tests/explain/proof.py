"""The nearest change of random accounts, held to the core: `python -m tests.explain.proof`.

Each account has lived through random inputs. Each change that is told is applied in its own world
and must have exactly the outcome that is said; one follower or one second less of it must not; and
random smaller counts, and other single changes where none is told, must change nothing. Prints one
line of JSON; exit 1 where anything differs.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from streams.explain.gather import from_index
from streams.explain.nearest import Change, Kind, Nearest, nearest
from streams.index.database import open_engine
from tests.core.given import DAY, HOUR, SECOND, policy, stability
from tests.explain.test_nearest import applied, lived
from tests.index.filled import all_of, empty, write
from tests.operate.recording import Tape

COUNTS = (700, 899, 900, 999, 1_000, 1_001, 1_234, 5_000)
LABELS = ("财经", "法律", "日常生活", "体育")


class Accounts:
    """An index of its own for each recording, made of one without rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        empty(folder, "blank.sqlite").dispose()

    @contextmanager
    def index_of(self, tape: Tape) -> Iterator[Engine]:
        """The index of a recording."""
        path = self._folder / "index.sqlite"
        for left in self._folder.glob("index.sqlite*"):
            left.unlink()
        shutil.copy(self._folder / "blank.sqlite", path)
        engine = open_engine(URL.create("sqlite", database=str(path)))
        write(engine, all_of(tape))
        yield engine
        engine.dispose()


def random_life(chance: random.Random) -> Tape:
    """An account that some things have happened to."""
    dwell = chance.choice([0, HOUR, DAY])
    leave = chance.choice([0, DAY, 7 * DAY])
    tape = Tape(policy(stability=stability(dwell=dwell, leave_after=leave)))
    tape.control("settle", "p1").label(chance.choice(LABELS[:2]), "p1")
    if chance.random() < 0.85:
        tape.reads(chance.choice((1_000, 1_234, 5_000)), "p1").wait(dwell + HOUR)
    for _ in range(chance.randint(1, 9)):
        _happens(tape, chance)
        tape.wait(chance.choice([SECOND, HOUR, DAY, 2 * DAY, 5 * DAY]))
    return tape.sealed()


def _happens(tape: Tape, chance: random.Random) -> None:
    cycle = max(1, tape.account("p1").live.cycle_number)
    acts: list[Callable[[], object]] = [
        lambda: tape.reads(chance.choice(COUNTS), "p1"),
        lambda: tape.reads(chance.choice(COUNTS), "p1"),
        lambda: tape.label(chance.choice(LABELS), "p1"),
        lambda: tape.receipt(account="p1", cycle=cycle),
        lambda: tape.receipt(account="p1", cycle=cycle),
        lambda: tape.receipt("failed", "p1", cycle=cycle, failure="blocked"),
        lambda: tape.answer(chance.choice(["granted", "declined", "withdrawn"]), "p1"),
        lambda: tape.control(chance.choice(["hold", "unhold", "lift", "reissue"]), "p1"),
        lambda: tape.control(chance.choice(["appeal_opened", "appeal_rejected"]), "p1"),
        lambda: tape.change(chance.choice(["exempted", "exemption_ended"]), "p1"),
        lambda: tape.switch(chance.choice(["adverse_off", "throttles_off"]), chance.random() < 0.3),
    ]
    chance.choice(acts)()


def faults(tape: Tape, told: Nearest, chance: random.Random) -> Iterator[str]:
    """What of what is told is not so."""
    without = lived(tape)
    if told.without.events != without:
        yield f"without a change: {told.without.events}, not {without}"
    for change in told.changes:
        if applied(tape, change) != change.outcome.events:
            yield f"{change.kind}: {applied(tape, change)}, not {change.outcome.events}"
        if change.by is not None and change.by > 1 and applied(tape, change, 1) != without:
            yield f"{change.kind}: one less than {change.by} alters it too"
        if change.until is not None and applied(tape, change, SECOND) == change.outcome.events:
            yield f"{change.kind}: a second after {change.until} alters it too"
    yield from _smaller(tape, told, without, chance)


def _smaller(tape: Tape, told: Nearest, without: object, chance: random.Random) -> Iterator[str]:
    """Random smaller changes of the count; where none is told, any."""
    known = tape.account("p1").followers
    if known is None:
        return
    for kind, sign in ((Kind.MORE, 1), (Kind.FEWER, -1)):
        sizes = [it.by or 0 for it in told.changes if it.kind is kind]
        most = min(sizes) - 1 if sizes else (known if sign < 0 else 20_000)
        for by in sorted({chance.randint(1, most) for _ in range(3)} if most > 0 else ()):
            change = Change(kind, told.without, by=by)
            if applied(tape, change) != without:
                yield f"{kind}: {by} alters it, told is {min(sizes, default=None)}"


def main() -> int:
    """Run so many accounts from a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=15)
    options = parser.parse_args()
    kinds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    wrong = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        accounts = Accounts(Path(name))
        for number in range(options.accounts):
            chance = random.Random(f"{options.seed}/{number}")
            tape = random_life(chance)
            with accounts.index_of(tape) as engine:
                told = nearest(from_index(engine, "weibo:p1"), tape.now)
            assert told is not None
            account = tape.account("p1")
            states[f"{account.eligibility.name}/{account.live.state.name}"] += 1
            kinds.update(str(it.kind) for it in told.changes)
            kinds["none"] += not told.changes
            for fault in faults(tape, told, chance):
                wrong += 1
                sys.stderr.write(f"account {number}: {fault}\n")
            if number % 100 == 99:
                sys.stderr.write(f"{number + 1} accounts, {time.monotonic() - began:.0f} s\n")
    found = {
        "accounts": options.accounts,
        "seed": options.seed,
        "changes": dict(kinds.most_common()),
        "states": dict(states.most_common()),
        "wrong": wrong,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
