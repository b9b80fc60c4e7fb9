"""Makes the report of a backtest, in the form that `--json` writes (deploy/backtest.md)."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from streams.backtest.carried import Carried
from streams.backtest.figures import FORM
from streams.backtest.run import Backtest
from streams.backtest.tally import Tally, as_plain
from streams.core.limits.caps import share
from streams.core.model.instants import DAY, day_start, hour_start, rfc3339
from streams.core.model.policy import Policy

LEFT_OUT = (
    "the refusal guard's count of the rows that are left out above: they are given to nobody, so it"
    " counts only what the core itself refuses",
    "labels of accounts below the floor: they are known to no report and select nobody",
    "caps and guards of several partitions: here one partition has each cap whole",
)
"""What a backtest does not cover."""


def report(found: Backtest) -> dict[str, Any]:
    """Returns the report as plain values; the same history always gives the same ones."""
    asked = found.asked
    return {
        "form": FORM,
        "history": {
            "readings": asked.readings,
            "labels": asked.labels,
            "words": asked.words,
            "model": None if asked.model is None else asked.model.words(),
            "from": _instant(asked.start),
            "to": _instant(asked.end),
            "now": rfc3339(found.now),
        },
        "carried": carried(found.carried, [it.policy for it in found.tallies]),
        "left_out": [*LEFT_OUT, *found.left_out],
        "policies": [_policy(found, it) for it in found.tallies],
    }


def carried(it: Carried, policies: Iterable[Policy]) -> dict[str, Any]:
    """Returns what the data contain: rows, accounts, period, gaps, unknown labels."""
    known = list(policies)
    return {
        "rows": it.rows,
        "readings": it.sound,
        "left_out": _by_number(it.refused),
        "accounts": it.accounts,
        "accounts_exact": it.exact,
        "first": _instant(it.first),
        "last": _instant(it.last),
        "accounts_that_matter": it.kept_accounts,
        "readings_that_matter": it.kept_rows,
        "days": {
            name: [[_day(day), n] for day, n in days.items()] for name, days in it.days.items()
        },
        "gaps": {
            name: [[_day(first), _day(last)] for first, last in it.gaps(name)] for name in it.days
        },
        "unknown_labels": {
            name: sorted(
                ([label, n] for label, n in unknown_labels(it, name, known).items()),
                key=lambda one: (-one[1], one[0]),
            )
            for name in it.days
        },
        "words": dict(sorted(it.words.items())),
        "labels": {
            "rows": it.label_rows,
            "left_out": _by_number(it.refused_labels),
            "of_accounts_that_matter": it.kept_labels,
            "too_long_in_readings": it.long_labels,
        },
        "times_without_offset": it.without_offset,
    }


def _by_number(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def unknown_labels(it: Carried, platform: str, policies: Iterable[Policy]) -> Counter[str]:
    """Returns the labels that none of a platform's policies maps or exempts, with accounts."""
    own = [policy for policy in policies if policy.platform == platform]
    return Counter(
        {
            label: count
            for label, count in it.labels.get(platform, Counter()).items()
            if all(policy.known_text(label) is None for policy in own)
        }
    )


def _policy(found: Backtest, tally: Tally) -> dict[str, Any]:
    policy = tally.policy
    ups = Counter(found.crossings.get(tally.name, []))
    return {
        "policy": tally.name,
        "platform": policy.platform,
        "version": policy.version,
        "digest": policy.digest,
        "mode": policy.mode,
        "begins_later": _begins_later(policy, found.now),
        "stages": tally.stages(),
        "invited_accounts": sum(tally.again().values()),
        "funnel": as_plain(tally.funnel),
        "months": as_plain(tally.months),
        "months_by_phase_and_field": as_plain(tally.months_by_phase_and_field),
        "reasons": as_plain(tally.reasons),
        "invited_times": {str(times): n for times, n in sorted(tally.again().items())},
        "near_the_line": {
            "line": policy.lines[0],
            "percent_and_accounts": [list(it) for it in found.near.get(tally.name, [])],
        },
        "upward_crossings": {str(times): n for times, n in sorted(ups.items())},
        "load": {
            "invitations": _load(tally, "invitation.issued", policy.invitations_per_day),
            "throttles": _load(tally, "throttle.applied", policy.throttles_per_hour),
        },
        "deferred": as_plain(tally.deferred),
        "guard_trips": dict(sorted(tally.guard_trips.items())),
        "refused_by_the_core": as_plain(tally.refused),
        "restricted_accounts": len(tally.restricted_now()),
        "restricted": as_plain(tally.surfaces()),
    }


def _begins_later(policy: Policy, now: int) -> str | None:
    """Returns when the first phase begins (RFC 3339), if that is after all of the history."""
    starts = [phase.starts_at or 0 for phase in policy.phases]
    return rfc3339(min(starts)) if starts and min(starts) > now else None


def _load(tally: Tally, event: str, cap: int) -> dict[str, Any]:
    window, most = tally.busiest(event)
    start = day_start if event == "invitation.issued" else hour_start
    return {
        "window": "day" if event == "invitation.issued" else "hour",
        "cap": share(cap, 0, 1, 0),
        "busiest": None if not most else rfc3339(start(window)),
        "most": most,
        "windows": [[rfc3339(start(at)), n] for at, n in sorted(tally.busy[event].items())],
    }


def _instant(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _day(number: int) -> str:
    return rfc3339(number * DAY)[:10]
