"""Kept backtests on pages: the list, one, two compared, and the accounts that change."""

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.backtest import against as comparing
from streams.backtest.figures import checked, compared, figures
from streams.backtest.report import report
from streams.index import kept
from streams.index.kept import ReportKind
from streams.operate.errors import UsageError
from streams.settings_checks import variable
from tests.backtest.given import ReadingRow, backtested, csv_file, policy, rising
from tests.cli.conftest import Byline, byline, clean_environment
from tests.console.given import ConsoleGround
from tests.console.test_access import written
from tests.console.test_pages import plain
from tests.core.given import DAY

__all__ = ["byline", "clean_environment"]
LIST = "/policies/backtests"


def made(folder: Path, *lines: int) -> dict[str, Any]:
    """The report of policies of weibo with these lines; two are compared."""
    rows: list[ReadingRow] = [*rising("a1"), *rising("a2", days=3)]
    rows.append(ReadingRow(DAY, "a3", 1_100))
    file = csv_file(folder / "readings.csv", rows)
    phase = policy().phases[0]
    policies = [
        policy(version=at, phases=(replace(phase, followers=it),))
        for at, it in enumerate(lines, start=1)
    ]
    found, _ = backtested(folder, file, *policies)
    told = report(found)
    if len(lines) == 2:
        a, b = found.tallies
        told["against"] = comparing.as_plain(a, b, comparing.changes(a, b))
    return json.loads(json.dumps(told))


def put(ground: ConsoleGround, name: str, told: dict[str, Any]) -> str:
    says = "\n".join(checked(told, name))
    return kept.keep(ground.engine, ReportKind.BACKTEST, name, says, json.dumps(told), ground.now)


def test_a_report_is_listed_and_shown_with_every_number(
    ground: ConsoleGround, tmp_path: Path
) -> None:
    browser = ground.signed_in("numbers")
    assert "No report is kept yet" in browser.get(LIST).text
    told = made(tmp_path, 1_000)
    name = put(ground, "first.json", told)
    listed = browser.get(LIST).text
    assert f'href="{LIST}/{name}"' in listed
    assert "p0 (weibo v1, enforce): 3 / " in plain(listed)
    page = plain(browser.get(f"{LIST}/{name}").text)
    for it in figures(told["policies"][0]):
        assert f"{', '.join(it.what)}{it.number:,}" in page, it
    for sentence in told["left_out"]:
        assert sentence in page
    assert browser.get(f"{LIST}/{'0' * 32}").status_code == 404


def test_two_reports_beside_each_other_show_only_what_differs(
    ground: ConsoleGround, tmp_path: Path
) -> None:
    one, other = made(tmp_path, 1_000), made(tmp_path, 1_200)
    first, second = put(ground, "a.json", one), put(ground, "b.json", other)
    browser = ground.signed_in("numbers")
    page = plain(browser.get(f"{LIST}/{first}?against={second}").text)
    lines = compared(one["policies"][0], other["policies"][0])
    assert any(it.differs for it in lines)
    assert not all(it.differs for it in lines)
    for it in lines:
        said = f"{', '.join(it.what)}{it.a:,}{it.b:,}{it.b - it.a:+,}"
        assert (said in page) is it.differs, it
    everything = plain(browser.get(f"{LIST}/{first}?against={second}&all=1").text)
    assert all(f"{it.a:,}{it.b:,}{it.b - it.a:+,}" in everything for it in lines)
    assert "not of the same data" not in page
    other["carried"]["rows"] += 1
    third = put(ground, "c.json", other)
    assert "not of the same data" in browser.get(f"{LIST}/{first}?against={third}").text
    alike = put(ground, "d.json", one)
    assert "No number differs" in browser.get(f"{LIST}/{first}?against={alike}").text


def test_the_accounts_that_change_are_for_who_may_see_accounts_and_the_look_is_written_down(
    ground: ConsoleGround, tmp_path: Path
) -> None:
    told = made(tmp_path, 1_000, 1_200)
    name = put(ground, "both.json", told)
    numbers, viewer = ground.signed_in("numbers"), ground.signed_in("viewer")
    page = numbers.get(f"{LIST}/{name}").text
    assert "What changes from p0 to p1" in page
    assert "weibo:a3" not in page
    assert numbers.get(f"{LIST}/{name}/accounts").status_code == 403
    shown = viewer.get(f"{LIST}/{name}/accounts").text
    assert {it["account_id"] for it in told["against"]["changes"]} == {"a3"}
    for it in told["against"]["changes"]:
        assert f'href="/accounts/weibo%3A{it["account_id"]}"' in shown
        assert f"<td>{ {'enforce': 'live', 'shadow': 'shadow'}[it['mode']] }</td>" in shown
    assert "weibo:a3" not in viewer.get(f"{LIST}/{name}/accounts?under=p1").text
    assert written(ground)[-1][:2] == ("viewer", f"console {LIST}/{{report}}/accounts")
    alone = put(ground, "alone.json", made(tmp_path, 1_000))
    assert "compares no two policies" in viewer.get(f"{LIST}/{alone}/accounts").text


def test_what_is_hostile_in_a_report_is_escaped(ground: ConsoleGround, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"

    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spoilt(it) for name, it in value.items()}
        if isinstance(value, list):
            return [spoilt(it) for it in value]
        known = ("weibo", "byline-backtest/1", "invited", "restricted", "released")
        return evil if isinstance(value, str) and value not in known else value

    told = spoilt(made(tmp_path, 1_000, 1_200))
    name = put(ground, evil, told)
    other = put(ground, "other", made(tmp_path, 1_000, 1_200))
    browser = ground.signed_in("viewer")
    for path in (
        *(LIST, f"{LIST}/{name}", f"{LIST}/{name}?against={other}&all=1"),
        *(f"{LIST}/{other}?against={name}", f"{LIST}/{name}/accounts", "/policies/shadow"),
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "<img" not in answer.text
        assert html.escape(evil) in answer.text, path


def test_the_command_keeps_replaces_and_drops_reports(
    ground: ConsoleGround, tmp_path: Path, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("database"), str(ground.engine.url))
    file = tmp_path / "kept.json"
    file.write_text(json.dumps(made(tmp_path, 1_000)))
    for _ in range(2):
        assert byline("backtest", "keep", str(file)).code == 0
    browser = ground.signed_in("numbers")
    assert browser.get(LIST).text.count("kept.json") == 1
    for text, said in (
        ("{}", "is no report of"),
        ("nonsense", "is no JSON"),
        ('{"form": "byline-backtest/2", "policies": []}', "has the form byline-backtest/2"),
    ):
        bad = tmp_path / "bad.json"
        bad.write_text(text)
        answer = byline("backtest", "keep", str(bad))
        assert (answer.code, said in answer.err) == (2, True), answer
    assert byline("backtest", "keep", str(tmp_path / "none")).code == 2
    assert byline("backtest", "keep").code == 2
    assert byline("backtest", "keep", str(file), "--readings", "x").code == 2
    assert byline("backtest", "drop", "kept.json").code == 0
    assert byline("backtest", "drop", "kept.json").code == 2
    assert "No report is kept yet" in browser.get(LIST).text


def test_a_report_with_a_part_missing_is_no_report(tmp_path: Path) -> None:
    told = made(tmp_path, 1_000, 1_200)
    for name in ("policies", "history", "carried"):
        with pytest.raises(UsageError, match="is no report of"):
            checked({**told, name: None}, "x")
    for value in ("many", None):
        spoilt = [{**told["policies"][0], "invited_accounts": value}]
        with pytest.raises(UsageError, match="is no report of"):
            checked({**told, "policies": spoilt}, "x")
    with pytest.raises(UsageError, match="is no report of"):
        checked({**told, "against": {"changes": [{"what": "invited"}]}}, "x")
