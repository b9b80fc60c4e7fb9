"""What was seen in a real Prometheus is of the present alerts and panels."""

from tests.prometheus import seen
from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.rules import alerts


def test_every_alert_has_a_fault_that_it_is_shown() -> None:
    assert seen.INJECTED.keys() == alerts().keys()


def test_an_alert_that_was_seen_to_fire_was_seen_to_end() -> None:
    kept = seen.kept()["alerts"]
    assert kept
    assert kept.keys() <= alerts().keys()
    assert [alert for alert, it in kept.items() if it["ends_after_seconds"] is None] == []


def test_the_panels_that_were_asked_are_those_that_there_are() -> None:
    """One whose query was changed has to be asked again: python -m tests.prometheus --write day."""
    kept = seen.kept()["panels"]
    declared = [
        (board.name, panel.title, panel.unit, list(panel.shows.items()))
        for board in BOARDS
        for panel in board.panels
    ]
    asked = [
        (
            it["board"],
            it["panel"],
            it["unit"],
            [(one["legend"], one["query"]) for one in it["queries"]],
        )
        for it in kept
    ]
    assert asked == declared
    assert seen.without_series(seen.kept()) == []


def test_the_tables_are_made_of_what_was_kept() -> None:
    assert seen.ALERTS.read_text() == seen.alerts_table(seen.kept())
    assert seen.PANELS.read_text() == seen.panels_table(seen.kept())


def test_each_board_has_its_picture() -> None:
    drawn = {file.stem for file in seen.PICTURES.iterdir()}
    assert drawn == {board.name for board in BOARDS}
