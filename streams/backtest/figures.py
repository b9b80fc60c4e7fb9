"""The numbers of a backtest's report (`report.py`), one by one, and those of two reports compared.

They are read from what `--json` wrote, so a report can be looked at where no backtest can be run.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from streams.backtest.against import CHANGES
from streams.operate.errors import UsageError

FORM = "byline-backtest/1"
ReportedPolicy = Mapping[str, Any]
"""An entry of `policies` in a report."""


class Figure(NamedTuple):
    """One number: the part of the report, what is counted, and how many."""

    part: str
    what: tuple[str, ...]
    number: int


class TwoFigures(NamedTuple):
    """One number in two reports; 0 where a report does not have it."""

    part: str
    what: tuple[str, ...]
    a: int
    b: int

    @property
    def differs(self) -> bool:
        """Whether the two numbers differ."""
        return self.a != self.b


def figures(policy: ReportedPolicy) -> Iterator[Figure]:
    """Yields the numbers of one policy, in the order of a reader's interest."""
    yield Figure("accounts", ("invited",), policy["invited_accounts"])
    yield Figure("accounts", ("restricted",), policy["restricted_accounts"])
    for part in ("restricted", "reasons", "deferred", "funnel"):
        for *words, number in policy[part]:
            yield Figure(part, tuple(map(str, words)), number)
    for name, it in policy["load"].items():
        yield Figure("load", (name, it["window"]), it["most"])
    for step, number in policy["near_the_line"]["percent_and_accounts"]:
        yield Figure("near", (f"{step} %",), number)
    for times, number in policy["upward_crossings"].items():
        yield Figure("crossings", (times,), number)
    for name, number in policy["guard_trips"].items():
        yield Figure("guards", (name,), number)
    for *words, number in policy["refused_by_the_core"]:
        yield Figure("refused", tuple(map(str, words)), number)


def compared(a: ReportedPolicy, b: ReportedPolicy) -> list[TwoFigures]:
    """Returns every number that one of two policies has, in the order of the first."""
    one, other = ({(it.part, it.what): it.number for it in figures(p)} for p in (a, b))
    order = list(dict.fromkeys(part for part, _ in (*one, *other)))
    known = {key: at for at, key in enumerate((*one, *other))}
    keys = sorted(known, key=lambda key: (order.index(key[0]), known[key]))
    return [TwoFigures(*key, one.get(key, 0), other.get(key, 0)) for key in keys]


Pair = tuple[ReportedPolicy | None, ReportedPolicy | None]


def pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Pair]:
    """Returns the policies of two reports in pairs of one platform, in order; None: it has none."""
    found: list[Pair] = []
    for platform in dict.fromkeys(it["platform"] for it in (*a["policies"], *b["policies"])):
        ones, others = (
            [it for it in report["policies"] if it["platform"] == platform] for report in (a, b)
        )
        for at in range(max(len(ones), len(others))):
            one = ones[at] if at < len(ones) else None
            found.append((one, others[at] if at < len(others) else None))
    return found


def checked(report: Any, where: str) -> list[str]:
    """Returns a line on each policy of a report. Raises UsageError if it is none."""
    try:
        if report["form"] != FORM:
            raise UsageError(f"{where} has the form {report['form']}; this version reads {FORM}")
        for policy in report["policies"]:
            if not all(isinstance(it.number, int) for it in figures(policy)):
                raise ValueError("a number is none")
        facts = (*(report["history"][it] for it in ("readings", "now")), report["carried"]["rows"])
        if None in facts or not report["policies"]:
            raise ValueError("a part is missing")
        if report.get("against") is not None:
            _check_changes(report["against"])
        return [_line(it) for it in report["policies"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{where} is no report of `byline backtest … --json` ({error})") from None


def _check_changes(against: Mapping[str, Any]) -> None:
    """Raises ValueError, KeyError or TypeError if this is no comparison of two policies."""
    named = {"what", "under", "platform", "account_id", "at", "reason", "instead"}
    words = [what for what, _, _ in against["counts"]]
    words += [it["what"] for it in against["changes"] if not named - it.keys()]
    if not set(words) <= CHANGES.keys() or len(words) < len(against["changes"]):
        raise ValueError("a change is none")
    for name in ("a", "b"):
        if not isinstance(against[name], str):
            raise TypeError(f"{name} is no name")


def _line(policy: ReportedPolicy) -> str:
    return (
        f"{policy['policy']} ({policy['platform']} v{policy['version']}, {policy['mode']}):"
        f" {policy['invited_accounts']:,} / {policy['restricted_accounts']:,}"
    )
