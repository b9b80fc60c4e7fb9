"""Finds the accounts that two policies treat differently over one history.

A difference is one of two sorts. Something happens to an account under one policy alone: it is
invited, restricted or released under it, and not under the other. For this an event in shadow is
no event for real: what is for real under one policy and only in shadow under the other, is a
change. Or both policies do the same to it, but otherwise: at another instant, for another reason,
on other surfaces, at another level, for another time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from schemas.enums import Mode
from streams.backtest.tally import AccountOutcome, FirstTime, Restricted, Tally

EVENTS: Mapping[str, str] = {
    "invited": "invitation.issued",
    "restricted": "throttle.applied",
    "released": "throttle.lifted",
}
"""What happens under one policy alone → the event that is compared."""
MODES = (Mode.ENFORCE.value, Mode.SHADOW.value)
OTHERWISE = "otherwise"
CHANGES: Mapping[str, str | None] = {**EVENTS, OTHERWISE: None}
"""Kind of change, in the order of a list → the event that is compared; None: all of them."""
DIFFERENCES = {
    "mode": "for real, or in shadow",
    "at": "first instant",
    "reason": "first reason",
    "phase": "phase of the invitation",
    "field": "field of the invitation",
    "deadline": "end of the time to answer",
    "surface": "surfaces",
    "level": "level of a restriction",
    "until": "end of a restriction",
    "events": "reminders, renewals, releases or later rounds",
}
"""What `otherwise` can differ in, in the order of a list → in words.

`events` is named only where all of the others are alike.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """An account that two policies treat differently.

    `what`: one of CHANGES. `under`: the name of the policy under which alone it happens; empty for
    `otherwise`. `at`, `reason`, `mode`: of the first such event; of `otherwise`: of the first
    event that differs, under the second policy. `instead`: the last event of the account under the
    other policy, None if it has none; of `otherwise`: what differs, first policy → second.
    `differs`: for `otherwise`, those of DIFFERENCES.
    """

    what: str
    under: str
    platform: str
    account_id: str
    at: str
    reason: str
    instead: str | None
    mode: str
    differs: tuple[str, ...] = ()


class DifferentValue(NamedTuple):
    """Something that two policies do otherwise. `of`: a key of EVENTS, or a surface.

    `what`: one of DIFFERENCES. `a`, `b`: what it is under the first and the second policy.
    """

    of: str
    what: str
    a: str
    b: str


def changes(a: Tally, b: Tally) -> list[Change]:
    """Returns what two policies do differently, by kind, then policy, then time."""
    found = [*_alone(a, b), *_alone(b, a), *_otherwise(a, b)]
    order = list(CHANGES)
    found.sort(key=lambda it: (order.index(it.what), it.under != a.name, it.at, it.account_id))
    return found


def _alone(one: Tally, other: Tally) -> Iterator[Change]:
    for account in one.accounts.values():
        there = other.accounts.get(account.account_id)
        for what, event in EVENTS.items():
            first = _only_here(account, there, event)
            if first is not None:
                yield Change(
                    what,
                    one.name,
                    account.platform,
                    account.account_id,
                    first.at,
                    first.reason,
                    None if there is None else _last(there),
                    _mode(account, event),
                )


def _only_here(here: AccountOutcome, there: AccountOutcome | None, event: str) -> FirstTime | None:
    """Returns the first event of a kind if only one of two outcomes has it, else None.

    Where `here` has it for real, `there` may have it in shadow.
    """
    if event in here.live:
        return None if there is not None and event in there.live else here.live[event]
    return None if there is not None and event in there.first else here.first.get(event)


def _mode(account: AccountOutcome, event: str) -> str:
    return Mode.ENFORCE.value if event in account.live else Mode.SHADOW.value


def _otherwise(a: Tally, b: Tally) -> Iterator[Change]:
    for before in a.accounts.values():
        after = b.accounts.get(before.account_id)
        if after is None:
            continue
        found = _differences(before, after)
        if not found:
            continue
        event = EVENTS.get(found[0].of, EVENTS["restricted"])
        first = _strongest(after, event)
        if found[0].what == "events" or first is None:
            first = FirstTime(after.last_at, after.last_reason)
        names = {it.what for it in found}
        yield Change(
            OTHERWISE,
            "",
            before.platform,
            before.account_id,
            first.at,
            first.reason,
            _words(found),
            _mode(after, event),
            tuple(name for name in DIFFERENCES if name in names),
        )


def _strongest(account: AccountOutcome, event: str) -> FirstTime | None:
    """Returns the first event of a kind for real; if all are in shadow, the first of these."""
    return account.live.get(event) or account.first.get(event)


def _differences(before: AccountOutcome, after: AccountOutcome) -> list[DifferentValue]:
    """Returns how two outcomes differ in what both have; what only one has is left out."""
    found: list[DifferentValue] = []
    alone = False
    for what, event in EVENTS.items():
        if _only_here(before, after, event) or _only_here(after, before, event):
            alone = True
            continue
        one, other = _strongest(before, event), _strongest(after, event)
        if one is None or other is None:
            continue
        found += _unlike(what, ("at", one.at, other.at), ("reason", one.reason, other.reason))
        if what == "invited":
            found += _unlike(
                what,
                ("phase", before.phase, after.phase),
                ("field", before.field, after.field),
                ("deadline", before.deadline, after.deadline),
            )
        if what == "restricted":
            found += _surfaces(before.applied, after.applied)
    if not found and not alone and before.trail != after.trail:
        found.append(DifferentValue("last event", "events", _last(before), _last(after)))
    return found


def _surfaces(
    before: Mapping[str, Restricted], after: Mapping[str, Restricted]
) -> Iterator[DifferentValue]:
    for surface in sorted({*before, *after}):
        one, other = before.get(surface), after.get(surface)
        if one is None or other is None:
            yield DifferentValue(surface, "surface", _restriction(one), _restriction(other))
            continue
        yield from _unlike(
            surface,
            ("mode", one.mode, other.mode),
            ("level", one.level, other.level),
            ("until", one.until, other.until),
        )


def _restriction(it: Restricted | None) -> str:
    return "free" if it is None else f"{it.level} until {it.until} ({it.mode})"


def _unlike(of: str, *compared: tuple[str, str, str]) -> Iterator[DifferentValue]:
    return (DifferentValue(of, *it) for it in compared if it[1] != it[2])


def _words(found: Iterable[DifferentValue]) -> str:
    """Writes differences as text; surfaces that differ alike are named together."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for it in found:
        together.setdefault((it.what, it.a, it.b), []).append(it.of)
    return "; ".join(
        f"{', '.join(of)}: {what} {a or 'none'} → {b or 'none'}"
        for (what, a, b), of in together.items()
    )


def _last(account: AccountOutcome) -> str:
    shadow = ", in shadow" if account.last_mode == Mode.SHADOW else ""
    return f"{account.last_event} ({account.last_reason}{shadow}) {account.last_at}"


def summary(found: Iterable[Change]) -> Counter[tuple[str, str]]:
    """Counts the changes by kind and policy."""
    return Counter((it.what, it.under) for it in found)


def by_mode(found: Iterable[Change]) -> Counter[tuple[str, str, str]]:
    """Counts what happens under one policy alone by kind, mode and policy."""
    return Counter((it.what, it.mode, it.under) for it in found if it.what in EVENTS)


def by_difference(found: Iterable[Change]) -> dict[str, int]:
    """Counts the accounts of `otherwise` by what differs; one may differ in several."""
    counts = Counter(name for it in found for name in it.differs)
    return {name: counts[name] for name in DIFFERENCES if counts[name]}


def as_plain(a: Tally, b: Tally, found: list[Change]) -> dict[str, Any]:
    """Returns the comparison as JSON of `byline backtest --against … --json`."""
    return {
        "a": a.name,
        "b": b.name,
        "counts": [[*key, count] for key, count in sorted(summary(found).items())],
        "counts_by_mode": [[*key, count] for key, count in sorted(by_mode(found).items())],
        "differs": by_difference(found),
        "changes": [asdict(it) for it in found],
    }
