"""Each line of the log has a stable name, out of a closed list that is written down."""

import logging
import re

import msgspec

from streams.log_events import LIBRARY, LINES_LEFT_OUT, LOG_EVENTS, PRINTED, event
from streams.logs import JsonFormatter
from tests.worker.log_events import FILE, calls, text

WITHOUT_A_CALL = {LIBRARY, LINES_LEFT_OUT, PRINTED}


def test_every_call_of_a_logger_names_an_event_of_the_list() -> None:
    assert len(calls()) > 50
    assert [it for it in calls() if it.event not in LOG_EVENTS] == []


def test_every_event_of_the_list_is_logged() -> None:
    assert LOG_EVENTS.keys() - {it.event for it in calls()} == WITHOUT_A_CALL


def test_the_list_in_the_documents_is_that_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "python -m tests.worker.log_events --write"
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in LOG_EVENTS)


def _line(**more: str) -> dict[str, str]:
    record = logging.makeLogRecord({"name": "x", "msg": "%s is on", "args": ("it",), **more})
    found: dict[str, str] = msgspec.json.decode(JsonFormatter().format(record))
    return found


def test_a_line_of_json_has_its_event_and_a_librarys_says_that_it_is_one() -> None:
    named = _line(**event("switch_on"))
    assert (named["event"], named["message"]) == ("switch_on", "it is on")
    assert _line()["event"] == LIBRARY
