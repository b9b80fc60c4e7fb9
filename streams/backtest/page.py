"""Writes the report as one HTML file that needs no other file: text, tables and bar charts.

Colour alone never carries meaning: a chart has a caption, and each bar its number. Up to MOST_NAMED
bars have it beside them; below a chart of more is a list of all, which unfolds and is printed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from streams.backtest.against import DIFFERENCES
from streams.backtest.sentences import first_line, headline, tables
from streams.backtest.tally import STAGES, Tally
from streams.core.model.instants import SHANGHAI_OFFSET

MOST_ROWS = 500
"""How many accounts the page lists; `--csv` has all."""
MOST_BARS = 70
"""How many bars a chart over time may have; a longer time is told in longer units."""
MOST_NAMED = 14
"""Up to how many bars a chart is lying, with name and number beside each bar."""
_MONDAY = datetime(1970, 1, 5)
_SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
_MONTHS = {"month": 1, "year": 12, "decade": 120, "century": 1200, "millennium": 12_000}
_NAMES = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}
"""Unit of time → how the start of one is written; longer ones: their first year."""
_UNITS = (*_SPANS, *_MONTHS)

Row = tuple[datetime, int]
"""The start of a unit of time, and a number."""


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
        days=[_readings(name, rows) for name, rows in carried["days"].items()],
        policies=[
            _of(policy, tally.restrictions())
            for policy, tally in zip(report["policies"], tallies, strict=True)
            # A comparison replaces the parts on each policy.
            if changes is None
        ],
        most=MOST_ROWS,
        most_named=MOST_NAMED,
        changes=changes,
        meanings=DIFFERENCES,
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
            plots.append(_by_month(name, rows))
    plots += [_load(name, it) for name, it in policy["load"].items() if it["windows"]]
    return {
        "headline": headline(policy),
        "plots": plots,
        "tables": list(tables(policy)),
        "over_time": _over_time(policy.get("months_by_phase_and_field", [])),
        "restrictions": restrictions[:MOST_ROWS],
        "more": max(len(restrictions) - MOST_ROWS, 0),
    }


def _over_time(counts: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Makes the funnel by month, phase and field a table: a column for each step that occurs.

    `counts`: month, phase, field, event, number.
    """
    table: dict[tuple[str, str, str], Counter[str]] = {}
    for month, phase, field, event, number in counts:
        table.setdefault((month, phase, field), Counter())[event] += number
    steps = [it for it in STAGES if any(it in row for row in table.values())]
    rows = [(*key, *(f"{row[it]:,}" for it in steps)) for key, row in sorted(table.items())]
    return {
        "headings": ("month", "phase", "field", *steps),
        "rows": rows[:MOST_ROWS],
        "more": max(len(rows) - MOST_ROWS, 0),
    }


def _plot(title: str, unit: str, rows: Sequence[tuple[str, int]], limit: int | None = None) -> Plot:
    """Makes a bar chart of rows (name, number). `limit`: a number to draw as a line."""
    highest = max((n for _, n in rows), default=0) or 1
    return Plot(title, unit, [Bar(name, n, 100 * n / highest) for name, n in rows], limit)


# ---- charts over time --------------------------------------------------------------------------


def _readings(platform: str, days: Sequence[tuple[str, int]]) -> Plot:
    rows = [(datetime.fromisoformat(day), n) for day, n in days]
    unit, told = _told(rows, "day", sum)
    bars = [(_name(at, unit), n) for at, n in told]
    return _plot(f"Readings of {platform} by {unit}{_monday(unit)}", "readings", bars)


def _by_month(event: str, months: Sequence[tuple[str, int]]) -> Plot:
    rows = [(datetime.fromisoformat(f"{month}-01"), n) for month, n in months]
    unit, told = _told(rows, "month", sum)
    return _plot(f"{event} by {unit}", "events", [(_name(at, unit), n) for at, n in told])


def _load(name: str, it: Mapping[str, Any]) -> Plot:
    """Makes the chart of the windows of a cap. Windows and longer units are those of Shanghai."""
    offset, window, cap = timedelta(milliseconds=SHANGHAI_OFFSET), it["window"], it["cap"]
    rows = [(datetime.fromisoformat(at[:19]) + offset, n) for at, n in it["windows"]]
    unit, told = _told(rows, window, max)
    article = "an" if window == "hour" else "a"
    title = f"{name.capitalize()} {article} {window}, cap {cap:,}"
    if unit == window:
        bars = [(_name(at - offset, "hour"), n) for at, n in told]
        return _plot(f"{title} (UTC start)", "events", bars, cap)
    title += f": the highest {window} of each {unit} in Asia/Shanghai{_monday(unit)}"
    return _plot(title, "events", [(_name(at, unit), n) for at, n in told], cap)


def _told(
    rows: Sequence[Row], unit: str, together: Callable[[list[int]], int]
) -> tuple[str, list[Row]]:
    """Returns a unit of time and the rows told in it, without a gap: what has no row is 0.

    It is `unit`, or the next longer one in which MOST_BARS bars are enough; `together` makes one
    number of those in such a one.
    """
    if not rows:
        return unit, []
    first, last = min(at for at, _ in rows), max(at for at, _ in rows)
    longer = _UNITS.index(unit)
    while len(starts := _starts(first, last, _UNITS[longer])) > MOST_BARS:
        longer += 1
    unit = _UNITS[longer]
    numbers: dict[datetime, list[int]] = {start: [] for start in starts}
    for at, number in rows:
        numbers[_start(at, unit)].append(number)
    return unit, [(start, together(found or [0])) for start, found in numbers.items()]


def _starts(first: datetime, last: datetime, unit: str) -> list[datetime]:
    """Returns the starts of the units of a time; of more than MOST_BARS only some."""
    found = [_start(first, unit)]
    while len(found) <= MOST_BARS and (following := _following(found[-1], unit)) <= last:
        found.append(following)
    return found


def _start(at: datetime, unit: str) -> datetime:
    """Returns the start of the unit of time that contains an instant."""
    if unit in _SPANS:
        return _MONDAY + (at - _MONDAY) // _SPANS[unit] * _SPANS[unit]
    month = 12 * at.year + at.month - 1
    return _first_of(month - month % _MONTHS[unit])


def _following(start: datetime, unit: str) -> datetime:
    """Returns the start of the next unit of time; the last instant of the calendar if none is."""
    try:
        if unit in _SPANS:
            return start + _SPANS[unit]
        return _first_of(12 * start.year + start.month - 1 + _MONTHS[unit])
    except (OverflowError, ValueError):
        return datetime.max


def _first_of(month: int) -> datetime:
    """Returns the first day of a month, which is counted from the year 0 on."""
    return datetime(month // 12, month % 12 + 1, 1)


def _name(start: datetime, unit: str) -> str:
    return start.strftime(_NAMES.get(unit, "%Y"))


def _monday(unit: str) -> str:
    return " (each from Monday)" if unit == "week" else ""
