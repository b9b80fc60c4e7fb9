"""Writes the report as one HTML file that needs no other file: text, tables and bar charts.

Every bar has its number and every series its name, so that colour alone never carries meaning.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from streams.backtest.sentences import first_line, headline, tables
from streams.backtest.tally import Tally

MOST_ROWS = 500
"""How many accounts the page lists; `--csv` has all."""
MOST_BARS = 70
"""How many bars a chart may have; of more rows, several consecutive ones are put together."""


class Bar(NamedTuple):
    """One bar of a chart: name, number, and its height in per cent of the highest."""

    name: str
    number: int
    height: float


class Plot(NamedTuple):
    """A bar chart: title, what is counted, its bars, and a limit to draw as a line, or None."""

    title: str
    unit: str
    bars: list[Bar]
    limit: int | None = None

    @property
    def limit_height(self) -> float | None:
        """The height of the limit in per cent of the highest bar; None if it is above that."""
        highest = max((bar.number for bar in self.bars), default=0)
        if self.limit is None or not highest or self.limit > highest:
            return None
        return 100 * self.limit / highest


def page(
    report: Mapping[str, Any],
    tallies: Sequence[Tally],
    changes: Mapping[str, Any] | None = None,
) -> str:
    """Returns the HTML file.

    `tallies`: of the report's policies, for the restricted accounts. `changes`: the comparison of
    two policies; if it is given, the page shows it and not each policy.
    """
    environment = Environment(
        loader=PackageLoader("streams.backtest", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    carried = report["carried"]
    return environment.get_template("page.html.j2").render(
        report=report,
        first_line=first_line(report),
        days=[
            _plot(f"Readings of {name} by day", "readings", rows)
            for name, rows in carried["days"].items()
        ],
        policies=[
            _of(policy, tally.restrictions())
            for policy, tally in zip(report["policies"], tallies, strict=True)
            # A comparison replaces the parts on each policy.
            if changes is None
        ],
        most=MOST_ROWS,
        changes=changes,
    )


def _of(policy: Mapping[str, Any], restrictions: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    plots = [
        _plot("The funnel", "events", list(policy["stages"].items())),
        _plot(
            "Highest reading in per cent of the line",
            "accounts",
            [
                (f"{step}+" if step >= 120 else f"{step}–{step + 5}", n)
                for step, n in policy["near_the_line"]["percent_and_accounts"]
            ],
        ),
    ]
    for name in ("invitation.issued", "throttle.applied"):
        rows = [(month, n) for month, event, n in policy["months"] if event == name]
        if rows:
            plots.append(_plot(f"{name} by month", "events", rows))
    for name, it in policy["load"].items():
        if it["windows"]:
            rows = [(at[:16].replace("T", " "), n) for at, n in it["windows"]]
            title = f"{name.capitalize()} a {it['window']} (UTC start), cap {it['cap']:,}"
            plots.append(_plot(title, "events", rows, it["cap"], highest_of_stretch=True))
    return {
        "headline": headline(policy),
        "plots": plots,
        "tables": list(tables(policy)),
        "restrictions": restrictions[:MOST_ROWS],
        "more": max(len(restrictions) - MOST_ROWS, 0),
    }


def _plot(
    title: str,
    unit: str,
    rows: list[Any],
    limit: int | None = None,
    *,
    highest_of_stretch: bool = False,
) -> Plot:
    """Makes a bar chart of rows (name, number).

    If there are more than MOST_BARS rows, a bar stands for several consecutive rows: for their sum
    or, with `highest_of_stretch`, for the highest of them. `limit`: a number to draw as a line.
    """
    size = -(-len(rows) // MOST_BARS) or 1
    if size > 1:
        put_together = max if highest_of_stretch else sum
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        rows = [(part[0][0], put_together(n for _, n in part)) for part in parts]
        title += f" ({'highest' if highest_of_stretch else 'sum'} of {size} each)"
    highest = max((n for _, n in rows), default=0) or 1
    return Plot(title, unit, [Bar(str(name), n, 100 * n / highest) for name, n in rows], limit)
