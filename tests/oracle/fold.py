"""A plain fold over real readings in file order: who is invited, and what each account sees.

One loop, a few local words, nothing shared with `model.py`: two oracles that agree are worth more
than one. It expresses what a run over Kafka yields when the inputs of every account are applied in
file order, the label of a line (where it differs from the one before; empty removes it) before its
reading. The policy is simple on purpose: dwell PT0S, no switches, controls or receipts.

`clock="wall"` is a run today over old readings: every instant of the files lies far in the past,
so cool-downs never end within the run, and leaving is decided by the readings alone; that is only
well defined for `leave_after` PT0S, or for one so long that it has not passed yet (`never`).
LEAVING exists only while an invitation is open; without one a count below the line is OUTSIDE.
`clock="observed"` is a backtest: the clock is the latest `observed_at` of the file so far.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

from tests.oracle.policy import instant

DATA = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class ReadingLine:
    """One line of a file: a reading, and the label that stood beside it (None: none)."""

    observed_at: datetime
    platform: str
    account_id: str
    followers: int
    category: str | None

    @property
    def key(self) -> str:
        """`platform:account_id`."""
        return f"{self.platform}:{self.account_id}"


@dataclass(frozen=True)
class Rules:
    """The simple policy. `labels` maps category text to fields; None covers every text there is.

    `leave_after` and `cool_down` None: longer than the run. `shadow` adds delivered (projected).
    """

    lines: tuple[int, ...]
    labels: Mapping[str, str] | None = None
    exit_ratio: Decimal = Decimal("0.95")
    leave_after: timedelta | None = timedelta(0)
    cool_down: timedelta | None = timedelta(days=30)
    clock: Literal["wall", "observed"] = "wall"
    shadow: bool = False

    def __post_init__(self) -> None:
        if self.clock == "wall" and self.leave_after not in (None, timedelta(0)):
            raise ValueError("leave_after on a wall clock depends on how the readings are batched")

    def knows(self, category: str) -> bool:
        """Whether the policy names a label; another is kept as unknown."""
        return self.labels is None or category in self.labels

    def covers(self, category: str | None) -> bool:
        """Whether a label stands for a covered field."""
        return category is not None and (self.labels is None or category in self.labels)


@dataclass
class FoldedReading:
    """What the fold found: events per account as (event, reason), in order, and the counts."""

    events: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    applied: int = 0
    stale: int = 0
    untracked: int = 0
    label_changes: int = 0

    @property
    def invited(self) -> set[str]:
        """Keys of accounts that were ever invited."""
        return set(self.events)

    @property
    def open(self) -> set[str]:
        """Keys of accounts whose last invitation stands at the end."""
        last = {key: own[-1][0] for key, own in self.events.items()}
        return {key for key, event in last.items() if event != "invitation.cancelled"}


@dataclass
class _Account:
    sent: str | None = None
    label: str | None = None
    label_at: datetime | None = None
    removed: bool = False
    contradictory: bool = False
    followers: int | None = None
    observed_at: datetime | None = None
    inside: bool = False
    leaving_until: datetime | None = None
    open: bool = False
    ever: bool = False
    cooling: bool = False
    cool_until: datetime | None = None


def lines_of(path: Path, limit: int | None = None) -> Iterator[ReadingLine]:
    """Lines of one of the files of `../shared/data`, in replay order."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if limit is not None and number >= limit:
                return
            yield ReadingLine(
                observed_at=instant(row["observed_at"]),
                platform=row["platform"],
                account_id=row["account_id"],
                followers=int(row["followers"]),
                category=row["category"] or None,
            )


def fold(lines: Iterable[ReadingLine], rules: Rules) -> FoldedReading:
    """Run the simple policy over the lines, one by one."""
    seen = FoldedReading()
    accounts: dict[str, _Account] = {}
    clock: datetime | None = None
    for line in lines:
        clock = line.observed_at if clock is None else max(clock, line.observed_at)
        if rules.clock == "observed":
            _let_time_pass(accounts, clock, rules, seen)
        account = accounts.setdefault(line.key, _Account())
        seen.label_changes += line.category != account.sent
        if _label(account, line, rules):
            _look(line.key, account, clock, rules, seen)
        known, again = account.followers, line.observed_at == account.observed_at
        older = account.observed_at is not None and line.observed_at < account.observed_at
        if older or (again and known is None):
            # Of a forgotten count the instant stays: once more it is no new one.
            seen.stale += 1
            continue
        if again and known is not None and line.followers >= known:
            # Of two counts of one instant the lower counts.
            continue
        below_floor = line.followers < min(rules.lines) * rules.exit_ratio
        if below_floor and account.observed_at is None:
            seen.untracked += 1
            continue
        seen.applied += 1
        account.observed_at = line.observed_at
        account.followers = None if below_floor and not account.ever else line.followers
        _look(line.key, account, clock, rules, seen)
    return seen


def _look(key: str, account: _Account, clock: datetime, rules: Rules, seen: FoldedReading) -> None:
    line = min(rules.lines)
    if not rules.covers(account.label) or account.contradictory or account.followers is None:
        account.inside, account.leaving_until = False, None
        if account.open:
            _cancel(key, account, clock, rules, seen, "label")
        return
    if not account.open:
        account.inside, account.leaving_until = account.followers >= line, None
        _invite(key, account, clock, rules, seen)
    elif account.followers >= line * rules.exit_ratio:
        account.leaving_until = None
    elif rules.leave_after == timedelta(0):
        _leave(key, account, clock, rules, seen)
    elif account.leaving_until is None:
        assert account.observed_at is not None
        span = rules.leave_after or timedelta(days=36500)
        account.leaving_until = account.observed_at + span


def _label(account: _Account, line: ReadingLine, rules: Rules) -> bool:
    """Take the label of a line if it differs from the last one sent; whether it counts."""
    if line.category == account.sent:
        return False
    account.sent = line.category
    if line.category is None:
        account.removed |= account.label is not None
        account.label, account.contradictory = None, False
        return True
    known = account.label_at
    if known is not None and (
        line.observed_at < known or (account.removed and line.observed_at == known)
    ):
        return False
    if line.observed_at == known and account.label is not None:
        texts = {one if rules.knows(one) else None for one in (account.label, line.category)}
        account.contradictory |= len(texts) > 1
        return True
    account.label, account.label_at = line.category, line.observed_at
    account.removed = account.contradictory = False
    return True


def _invite(
    key: str, account: _Account, clock: datetime, rules: Rules, seen: FoldedReading
) -> None:
    if account.cool_until is not None and account.cool_until <= clock:
        account.cool_until, account.cooling = None, False
    ready = account.inside and account.leaving_until is None
    if not ready or account.open or account.cooling:
        return
    account.open = account.ever = True
    own = seen.events.setdefault(key, [])
    own.append(("invitation.issued", "over_line"))
    if rules.shadow:
        own.append(("invitation.delivered", "projected"))


def _leave(key: str, account: _Account, clock: datetime, rules: Rules, seen: FoldedReading) -> None:
    account.inside, account.leaving_until = False, None
    if account.open:
        _cancel(key, account, clock, rules, seen, "left")


def _cancel(
    key: str, account: _Account, clock: datetime, rules: Rules, seen: FoldedReading, reason: str
) -> None:
    seen.events[key].append(("invitation.cancelled", reason))
    account.open = False
    if rules.cool_down == timedelta(0):
        return
    account.cooling = True
    if rules.clock == "observed" and rules.cool_down is not None:
        account.cool_until = clock + rules.cool_down


def _let_time_pass(
    accounts: Mapping[str, _Account], clock: datetime, rules: Rules, seen: FoldedReading
) -> None:
    """Leavings and cool-downs that ended before the reading at hand, each account by itself."""
    for key, account in accounts.items():
        until = account.leaving_until
        if until is not None and until < clock:
            _leave(key, account, until, rules, seen)
        if account.cool_until is not None and account.cool_until < clock:
            _invite(key, account, account.cool_until, rules, seen)
