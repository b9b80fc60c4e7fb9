"""Stops of a clock that a late worker reads with the refusal that came behind them."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.inputs import InputName
from streams.core.model.instants import rfc3339
from tests.core.given import HOUR, MINUTE, START, Day
from tests.core.sleeping import (
    REFUSAL_ALONE,
    Happened,
    backwards,
    controls_first,
    late,
    one_by_one,
    punctual,
    receipt,
    restricted,
)
from tests.core.states import DEADLINE, WINDOW, delivered

TO_ANOTHER = {"answer": "declined", "invitation_id": "x"}
"""An unclear word."""
STOPS: dict[str, tuple[InputName, dict[str, Any], dict[str, Any]]] = {
    "settle": ("consent-answers", TO_ANOTHER, {"command": "settle"}),
    "unhold": ("controls", {"command": "hold"}, {"command": "unhold"}),
    "verdict": ("controls", {"command": "appeal_opened"}, {"command": "appeal_rejected"}),
}


@pytest.mark.parametrize("how", [punctual, late, one_by_one, backwards, controls_first])
@pytest.mark.parametrize("read_before", [True, False], ids=["read before", "read with it"])
@pytest.mark.parametrize("word", STOPS)
def test_a_refusal_after_a_stop_that_had_ended_is_late_however_it_is_read(
    word: str, read_before: bool, how: Callable[[Day, Happened, int], list[str]]
) -> None:
    """What ended the stop is read after the refusal, but entered an hour after the stop began."""
    topic, begins, ends = STOPS[word]
    day = delivered(REFUSAL_ALONE)
    began, deadline = day.now + HOUR, START + DEADLINE + HOUR
    happened: Happened = [(began, topic, begins)]
    if read_before:
        punctual(day, happened, began)
        happened = []
    happened += [
        (began + HOUR, "controls", ends),
        (deadline + HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert not restricted(how(day, happened, deadline + WINDOW))


@pytest.mark.parametrize("how", [punctual, late])
def test_what_was_settled_while_something_else_stopped_the_clock_makes_no_refusal_of_silence(
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    day = delivered(REFUSAL_ALONE).wait(HOUR).control("hold")
    happened: Happened = [
        (day.now + HOUR, "consent-answers", TO_ANOTHER),
        (day.now + 2 * HOUR, "controls", {"command": "settle"}),
        (day.now + 3 * HOUR, "controls", {"command": "unhold"}),
        (START + DEADLINE + 4 * HOUR, "consent-answers", {"answer": "declined"}),
    ]
    assert not restricted(how(day, happened, START + DEADLINE + 2 * WINDOW))


@pytest.mark.parametrize("how", [punctual, late])
@pytest.mark.parametrize("word", STOPS)
def test_a_refusal_before_the_end_of_a_stop_is_in_time(
    word: str, how: Callable[[Day, Happened, int], list[str]]
) -> None:
    topic, begins, ends = STOPS[word]
    day = delivered(REFUSAL_ALONE)
    happened: Happened = [
        (day.now + HOUR, topic, begins),
        (START + DEADLINE + HOUR, "consent-answers", {"answer": "declined"}),
        (START + DEADLINE + 2 * HOUR, "controls", ends),
    ]
    if topic == "controls" and how is late:
        punctual(day, happened[:1], day.now + HOUR)
        happened = happened[1:]
    said = how(day, happened, START + DEADLINE + 3 * WINDOW)
    assert restricted(said) == {"recommend-feed", "tips"}, said


DATED_BEFORE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("adverse_off", {"on": True}, {"on": False}),
    ("answers_paused", {"on": True}, {"on": False}),
    ("refusals_settled", {"on": False}, {"on": True}),
]


@pytest.mark.parametrize("how", [punctual, late, one_by_one])
@pytest.mark.parametrize("ended", ["before the refusal", "after it", "before, and a word between"])
@pytest.mark.parametrize(("switch", "begins", "ends"), DATED_BEFORE, ids=lambda it: str(it))
def test_a_switch_dated_before_a_deadline_that_had_passed_when_it_entered_stops_it_no_more(
    switch: str,
    begins: dict[str, Any],
    ends: dict[str, Any],
    ended: str,
    how: Callable[[Day, Happened, int], list[str]],
) -> None:
    """A punctual worker had expired the invitation in silence; so the refusal is late."""
    day = delivered(REFUSAL_ALONE)
    deadline = START + DEADLINE
    on = {"switch": switch, "issued_at": rfc3339(deadline - HOUR), **begins}
    off = {"switch": switch, **ends}
    happened: Happened = [(deadline + HOUR, "switches", on)]
    if ended != "after it":
        happened.append((deadline + 2 * HOUR, "switches", off))
    if "between" in ended and how is not punctual:
        happened.append((deadline - MINUTE, "notice-receipts", receipt("delivered")))
    happened.append((deadline + 3 * HOUR, "consent-answers", {"answer": "declined"}))
    if ended == "after it":
        happened.append((deadline + 4 * HOUR, "switches", off))
    said = how(day, happened, deadline + 2 * WINDOW)
    assert not restricted(said), said
