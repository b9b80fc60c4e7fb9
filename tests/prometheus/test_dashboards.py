"""The dashboards are what is declared, and ask for nothing that does not exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.prometheus.dashboards.__main__ import BOARDS, FOLDER
from tests.prometheus.dashboards.panel import Board, rendered
from tests.prometheus.rules import alerts
from tests.prometheus.test_rules import known_names, names_in
from tests.support.parts import program

RATE_INTERVAL = "5m"
of_board = pytest.mark.parametrize("board", BOARDS, ids=lambda it: it.name)


def filled_in(query: str, rate_interval: str = RATE_INTERVAL) -> str:
    """A query with Grafana's variables filled in."""
    return query.replace("$__rate_interval", rate_interval).replace("$platform", ".*")


def queries(board: Board) -> list[str]:
    """Every query of the board's file, with its variables filled in."""
    found = re.findall(r'"expr": ("(?:[^"\\]|\\.)*")', (FOLDER / f"{board.name}.json").read_text())
    return [filled_in(str(json.loads(it))) for it in found]


@of_board
def test_the_file_is_what_is_declared(board: Board) -> None:
    written = (FOLDER / f"{board.name}.json").read_text()
    assert written == rendered(board), "python -m tests.prometheus.dashboards --write"
    assert json.loads(written)["uid"] == f"byline-{board.name}"


@of_board
def test_every_query_is_of_metrics_that_exist(board: Board) -> None:
    known = known_names()
    assert len(queries(board)) >= len(board.panels)
    for query in queries(board):
        found = names_in(query)
        assert found, query
        assert set(found) <= known, query


@pytest.mark.part("promtool")
@of_board
def test_promtool_parses_every_query(board: Board, tmp_path: Path) -> None:
    rules = [{"record": f"n:{number}", "expr": it} for number, it in enumerate(queries(board))]
    file = tmp_path / "queries.yaml"
    YAML(typ="safe").dump({"groups": [{"name": board.name, "rules": rules}]}, file)
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@of_board
def test_every_panel_has_a_unit_and_says_what_it_shows(board: Board) -> None:
    for panel in board.panels:
        assert panel.unit in ("short", "s", "cps", "bytes", "percentunit"), panel.title
        assert panel.says.endswith("."), panel.title
        assert len(panel.shows) <= 8


def test_every_alert_has_a_panel_that_names_it() -> None:
    said = " ".join(panel.says for board in BOARDS for panel in board.panels)
    assert set(re.findall(r"\bByline[A-Z]\w+", said)) == alerts().keys()


def test_no_two_panels_have_one_title() -> None:
    titles = [panel.title for board in BOARDS for panel in board.panels]
    assert len(set(titles)) == len(titles)
