"""The page: every number as text, days without a reading as nothing, and in a real browser.

A browser opens the file as a person does, 1280 and 390 px wide. Chromium is the part `browser`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from streams.backtest.against import as_plain as compared
from streams.backtest.against import changes
from streams.backtest.page import MOST_BARS, page
from streams.backtest.report import report
from streams.backtest.run import Backtest
from streams.backtest.tally import as_plain
from tests.backtest.given import ReadingRow, backtested, csv_file, policy, rising
from tests.console.served import chromium
from tests.console.shots import TOO_WIDE
from tests.core.given import DAY, HOUR, START, rfc3339, stability

WIDTHS = (1280, 390)
LONG = "policies/" + "x" * 150 + ".yaml"


def told(found: Backtest) -> dict[str, Any]:
    """The report, with the funnel over time by phase and field."""
    plain = report(found)
    for policy_of, tally in zip(plain["policies"], found.tallies, strict=True):
        over_time = as_plain(tally.months_by_phase_and_field)
        policy_of["months_by_phase_and_field"] = over_time
    return plain


def with_days(days: Mapping[str, int], **load: Any) -> str:
    """The page of a report with these readings by day, and this load of each cap."""
    return page(_plain(days, **load), [_TALLY])


class _NoTally:
    """A policy that restricts nobody."""

    def restrictions(self) -> list[tuple[str, ...]]:
        return []


_TALLY: Any = _NoTally()


def _plain(days: Mapping[str, int], **load: Any) -> dict[str, Any]:
    counts = {"rows": 1, "readings": 1, "accounts": 1}
    counts |= {"accounts_that_matter": 1, "readings_that_matter": 1}
    carried = {
        **counts,
        "accounts_exact": True,
        "left_out": {},
        "first": "2024-01-01",
        "last": "2024-01-02",
        "gaps": {},
        "unknown_labels": {},
        "days": {"weibo": [list(it) for it in days.items()]},
    }
    one = {"policy": "p", "platform": "weibo", "version": 1, "mode": "enforce"}
    one |= {"begins_later": None, "invited_accounts": 1, "restricted_accounts": 0}
    names = ("consent.granted", "consent.declined", "invitation.expired")
    one |= {
        "stages": dict.fromkeys(names, 1),
        "near_the_line": {"line": 1000, "percent_and_accounts": [[100, 1]]},
        "months": [],
        "load": load,
        "funnel": [],
        "upward_crossings": {},
        "deferred": [],
        "restricted": [],
    }
    history = dict.fromkeys(("readings", "labels", "words", "model", "now"), "x")
    return {"history": history, "carried": carried, "left_out": [], "policies": [one]}


def bars(text: str, title: str) -> dict[str, int]:
    """The bars of a chart, from what can be read without a pointer that hovers."""
    figures = re.findall(r"<figure>\n<figcaption>(.*?)</figcaption>(.*?)</figure>", text, re.S)
    (figure,) = [inside for caption, inside in figures if caption.startswith(title)]
    figure = re.sub(r"<title>.*?</title>", "", figure)
    listed = re.findall(r"<li>(.+): ([\d,]+)</li>", figure)
    if not listed:
        words = re.findall(r"<text [^>]*>(.*?)</text>", figure)
        listed = list(zip(words[::2], words[1::2], strict=True))
    return {name: int(number.replace(",", "")) for name, number in listed}


def days_from(first: int, count: int, step: int = 1) -> dict[str, int]:
    """Readings on days of 2024, numbered from 1 January on."""
    numbers = range(first, first + count * step, step)
    return {rfc3339(START + number * DAY)[:10]: 1000 + number for number in numbers}


def test_a_chart_of_many_bars_has_every_number_without_a_pointer() -> None:
    days = days_from(0, 40)
    assert bars(with_days(days), "Readings of weibo by day") == days


@pytest.mark.parametrize("last", [9, 60])
def test_days_without_a_reading_are_drawn_as_nothing(last: int) -> None:
    days = {**days_from(0, 1), **days_from(last, 1)}
    found = bars(with_days(days), "Readings of weibo by day")
    assert len(found) == last + 1
    assert {day: n for day, n in found.items() if n} == days
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("days", "title"),
    [
        (days_from(0, MOST_BARS), "Readings of weibo by day"),
        (days_from(0, MOST_BARS + 1), "Readings of weibo by week (each from Monday)"),
        (days_from(0, 2, 60 * 7), "Readings of weibo by week (each from Monday)"),
        (days_from(0, 3, 300), "Readings of weibo by month"),
        (days_from(0, 3, 3000), "Readings of weibo by year"),
        (days_from(0, 2, 365 * 3000), "Readings of weibo by century"),
        ({"2024-01-01": 1, "9999-12-31": 2}, "Readings of weibo by millennium"),
    ],
)
def test_a_time_too_long_for_days_is_told_in_longer_units_and_says_so(
    days: dict[str, int], title: str
) -> None:
    text = with_days(days)
    assert f"<figcaption>{title}</figcaption>" in text
    found = bars(text, title)
    assert len(found) <= MOST_BARS
    assert sum(found.values()) == sum(days.values())


def test_weeks_begin_on_monday_and_a_month_has_its_own_days() -> None:
    # 1 January 2024 was a Monday, 7 January a Sunday.
    weeks = bars(with_days(days_from(6, MOST_BARS + 1)), "Readings of weibo by week")
    assert list(weeks)[:2] == ["2024-01-01", "2024-01-08"]
    assert weeks["2024-01-01"] == 1006
    assert weeks["2024-01-08"] == sum(range(1007, 1014))
    months = bars(with_days(days_from(0, 600)), "Readings of weibo by month")
    assert months["2024-02"] == sum(range(1031, 1060))


def load(window: str, windows: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """What a cap counts: `windows` are milliseconds after the start, and how many."""
    rows = [[rfc3339(START + at), n] for at, n in windows]
    most = max(n for _, n in windows)
    return {"window": window, "cap": 50, "busiest": rows[0][0], "most": most, "windows": rows}


def test_hours_and_days_without_an_event_are_drawn_as_nothing() -> None:
    text = with_days(
        {},
        throttles=load("hour", [(0, 7), (40 * HOUR, 9)]),
        # A day of Shanghai begins at 16:00 UTC.
        invitations=load("day", [(-8 * HOUR, 3), (4 * DAY - 8 * HOUR, 5)]),
    )
    hours = bars(text, "Throttles an hour, cap 50 (UTC start)")
    assert len(hours) == 41
    assert (hours["2024-01-01 00:00"], hours["2024-01-02 16:00"]) == (7, 9)
    assert sum(hours.values()) == 16
    assert bars(text, "Invitations a day, cap 50 (UTC start)") == {
        "2023-12-31 16:00": 3,
        "2024-01-01 16:00": 0,
        "2024-01-02 16:00": 0,
        "2024-01-03 16:00": 0,
        "2024-01-04 16:00": 5,
    }


def test_a_long_load_shows_the_highest_window_of_each_longer_unit() -> None:
    text = with_days(
        {},
        throttles=load("hour", [(0, 7), (HOUR, 9), (17 * HOUR, 4), (30 * DAY, 2)]),
        invitations=load("day", [(-8 * HOUR, 3), (DAY - 8 * HOUR, 8), (400 * DAY, 5)]),
    )
    days = bars(text, "Throttles an hour, cap 50: the highest hour of each day in Asia/Shanghai")
    assert len(days) == 31
    # Hour 17 of the UTC day is on the next day in Shanghai.
    assert {day: n for day, n in days.items() if n} == {
        "2024-01-01": 9,
        "2024-01-02": 4,
        "2024-01-31": 2,
    }
    weeks = bars(text, "Invitations a day, cap 50: the highest day of each week in Asia/Shanghai")
    assert (len(weeks), weeks["2024-01-01"]) == (58, 8)


# ---- in a browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two files: of several policies with all parts, and of two policies compared."""
    folder = tmp_path_factory.mktemp("pages")
    rows: list[ReadingRow] = []
    for number in range(20):
        shift = (number // 2 + 12 * (number > 9)) * DAY + number * HOUR
        own = rising(f"{number}" + "account" * 8, days=2)
        rows += [it._replace(at=it.at + shift) for it in own]
        rows += [it._replace(at=it.at + shift, platform="douyin") for it in own]
    rows += [ReadingRow(DAY * day, "up-and-down", 700 + 600 * (day % 2)) for day in range(30)]
    readings = csv_file(folder / ("readings" * 12 + ".csv"), sorted(rows))
    other = policy(version=2, stability=stability(dwell=DAY), invitations_per_day=1)
    several = (policy(), other, policy(platform="douyin"))
    found, _ = backtested(folder, readings, *several, now=START + 40 * DAY)
    plain = told(found)
    plain["policies"][0]["policy"] = LONG
    files = {name: folder / f"{name}.html" for name in ("several", "compared")}
    files["several"].write_text(page(plain, found.tallies))
    found, _ = backtested(folder, readings, *several[:2], now=START + 40 * DAY)
    a, b = found.tallies
    found.tallies[1].name = LONG
    against = compared(a, b, changes(a, b))
    files["compared"].write_text(page(told(found), found.tallies, against))
    return files


class Opened:
    """A file in a window of its own; what it asks for, and what it complains of."""

    def __init__(self, browser: Any, path: Path, width: int) -> None:
        size = {"width": width, "height": 800}
        self.page = browser.new_context(viewport=size).new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda it: self.asked.append(it.url))
        self.page.on("console", lambda it: self.complaints.append(it.text))
        self.page.goto(path.as_uri())
        self.uri = path.as_uri()

    def needs_nothing_else(self) -> bool:
        """Whether only the file was read, and nothing in it was refused."""
        return self.asked == [self.uri] and self.complaints == []

    def unfold(self) -> int:
        """Opens all that is folded, as a person does. Returns how many."""
        folded = self.page.locator("summary")
        for number in range(folded.count()):
            folded.nth(number).click()
        return int(folded.count())


EVERYWHERE = ("Byline backtest", "The data carry", "Readings of weibo by day", "Left out:")
SECTIONS = {
    "several": (
        *EVERYWHERE,
        "Readings of douyin by day",
        "x" * 150,
        "p1 (weibo v2, enforce)",
        "p2 (douyin v1, enforce)",
        "The funnel",
        "Highest reading in per cent of the line",
        "invitation.issued by month",
        "throttle.applied by month",
        "Invitations a day, cap 1,000",
        "Throttles an hour, cap 1,000",
        "The funnel over time, by phase and field",
        "Accounts near the line of 1,000",
        "Flapping: upward crossings of the line",
        "Load against caps",
        "Held back",
        "Restricted at the end",
        "Who would be restricted, on which surface, until when",
        "19" + "account" * 8,
    ),
    "compared": (
        *EVERYWHERE,
        "What changes from p0 to",
        "otherwise under both",
        "end of the time to answer",
        "under this policy alone",
        "19" + "account" * 8,
    ),
}


@pytest.mark.part("browser")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_fits_the_window_asks_for_nothing_and_shows_every_part(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    opened = Opened(browser, pages[name], width)
    shown = opened.page
    assert shown.evaluate(TOO_WIDE) == 0
    opened.unfold()
    assert shown.evaluate(TOO_WIDE) == 0, "with all that was folded"
    text = shown.inner_text("body")
    assert [it for it in SECTIONS[name] if it not in text] == []
    for figure in shown.locator("figure").all():
        box = figure.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert opened.needs_nothing_else(), (opened.asked, opened.complaints)


@pytest.mark.part("browser")
@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_read_without_colour_and_without_a_pointer(
    browser: Any, pages: dict[str, Path], width: int
) -> None:
    opened = Opened(browser, pages["several"], width)
    colours = set(opened.page.evaluate(COLOURS))
    assert len(colours) > 3
    for colour in colours:
        red, green, blue = re.findall(r"[\d.]+", colour)[:3]
        assert red == green == blue, colour
    assert opened.unfold() >= 4
    charts = opened.page.evaluate(CHARTS)
    assert len(charts) >= 15
    for caption, drawn, numbers in charts:
        assert caption
        assert drawn == len(numbers) > 0, caption
        assert all(re.search(r"\d", it) for it in numbers), caption


COLOURS = """[...document.querySelectorAll('body, body *')].flatMap(it => {
  const style = getComputedStyle(it);
  return [style.color, style.backgroundColor, style.fill, style.stroke, style.borderTopColor];
}).filter(it => it.startsWith('rgb'))"""
CHARTS = """[...document.querySelectorAll('figure')].map(it => {
  const listed = [...it.querySelectorAll('li')];
  const numbers = listed.length ? listed : [...it.querySelectorAll('rect + text')];
  const visible = numbers.filter(it => it.checkVisibility() && it.getBoundingClientRect().width);
  return [it.querySelector('figcaption').innerText, it.querySelectorAll('rect').length,
          visible.map(it => it.textContent)];
})"""
"""Caption, how many bars, and what can be read of their numbers."""


@pytest.mark.part("browser")
def test_what_is_folded_is_printed(browser: Any, pages: dict[str, Path]) -> None:
    shown = Opened(browser, pages["several"], 1280).page
    folded = shown.locator("details + *")
    assert folded.count() >= 4
    assert not any(it.is_visible() for it in folded.all())
    shown.emulate_media(media="print")
    assert all(it.is_visible() for it in folded.all())


@pytest.mark.part("browser")
def test_a_page_that_asks_for_something_or_is_too_wide_would_be_noticed(
    browser: Any, pages: dict[str, Path], tmp_path: Path
) -> None:
    text = pages["several"].read_text()
    spoilt = tmp_path / "spoilt.html"
    for more in ('<img src="http://127.0.0.1:9/x.png">', "<script>1</script>"):
        spoilt.write_text(text.replace("</body>", f"{more}</body>"))
        assert not Opened(browser, spoilt, 390).needs_nothing_else(), more
    spoilt.write_text(text.replace("</body>", '<p style="width: 500px">wide</p></body>'))
    assert Opened(browser, spoilt, 390).page.evaluate(TOO_WIDE) > 0
