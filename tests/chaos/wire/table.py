"""The rounds of a run as Markdown: what was touched, what it did to the producers, the verdict."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.chaos.wire.faults import KINDS
from tests.chaos.wire.frames import APIS

ORDER = (22, 24, 0, 25, 28, 26)
"""API keys in the order of a transaction."""


def table(rounds: Sequence[dict[str, Any]]) -> str:
    """Requests by kind of fault, then a line of totals."""
    touched: dict[str, Counter[str]] = {api: Counter() for api in APIS.values()}
    passed: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for one in rounds:
        passed.update(one["passed"])
        ended.update(one["ended"])
        for api, kinds in one["touched"].items():
            touched[api].update(kinds)
    versions = rounds[-1]["versions"] if rounds else {}
    lines = [
        f"| request (version) | seen | {' | '.join(KINDS)} |",
        f"|---|{'---:|' * (1 + len(KINDS))}",
    ]
    for key in ORDER:
        api = APIS[key]
        if passed[api]:
            counts = " | ".join(f"{touched[api][kind]:,}" for kind in KINDS)
            lines.append(f"| {api} ({versions.get(api, '?')}) | {passed[api]:,} | {counts} |")
    return "\n".join([*lines, "", totals(rounds)])


def totals(rounds: Sequence[dict[str, Any]]) -> str:
    """One sentence: how much, how many producers ended, and what was found."""
    touched = sum(
        sum(kinds[kind] for kind in KINDS) for one in rounds for kinds in one["touched"].values()
    )
    records = sum(one["records"] for one in rounds)
    ended = sum(one["ended"].get("70", 0) for one in rounds)
    again = sum(one["asked_again"] for one in rounds)
    violations = sum(len(one["violations"]) for one in rounds)
    seconds = sum(one["seconds"] for one in rounds)
    return (
        f"{len(rounds)} rounds, {touched:,} requests touched, {ended:,} producers ended,"
        f" {again:,} coordinator's requests sent again under their epoch, {records:,} committed"
        f" records read back, **{violations} violations**; {seconds / 60:.0f} minutes."
    )
