"""Finds the accounts that two policies treat differently over one history."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from streams.backtest.tally import AccountOutcome, FirstTime, Tally

CHANGES = {
    "invited": "invitation.issued",
    "restricted": "throttle.applied",
    "released": "throttle.lifted",
}
"""Kind of difference → the event that is compared."""


@dataclass(frozen=True, slots=True)
class Change:
    """An account to which something happens under one policy but not under the other.

    `what`: a key of CHANGES. `under`: the name of that policy. `at`, `reason`: of the first such
    event. `instead`: the last event of the account under the other policy; None: it has none.
    """

    what: str
    under: str
    platform: str
    account_id: str
    at: str
    reason: str
    instead: str | None


def changes(a: Tally, b: Tally) -> list[Change]:
    """Returns what happens under only one of two policies, by kind, then policy, then time."""
    found = [
        *_only(a, b),
        *_only(b, a),
    ]
    order = list(CHANGES)
    found.sort(key=lambda it: (order.index(it.what), it.under != a.name, it.at, it.account_id))
    return found


def _only(one: Tally, other: Tally) -> Iterator[Change]:
    for account in one.accounts.values():
        there = other.accounts.get(account.account_id)
        for what, event in CHANGES.items():
            first: FirstTime | None = account.first.get(event)
            if first is not None and (there is None or event not in there.first):
                yield Change(
                    what,
                    one.name,
                    account.platform,
                    account.account_id,
                    first.at,
                    first.reason,
                    _instead(there),
                )


def _instead(account: AccountOutcome | None) -> str | None:
    if account is None:
        return None
    return f"{account.last_event} ({account.last_reason}) {account.last_at}"


def summary(found: list[Change]) -> Counter[tuple[str, str]]:
    """Counts the changes by kind and policy."""
    return Counter((it.what, it.under) for it in found)


def as_plain(a: Tally, b: Tally, found: list[Change]) -> dict[str, Any]:
    """Returns the comparison as JSON of `byline backtest --against … --json`."""
    return {
        "a": a.name,
        "b": b.name,
        "counts": [[*key, count] for key, count in sorted(summary(found).items())],
        "changes": [asdict(it) for it in found],
    }
