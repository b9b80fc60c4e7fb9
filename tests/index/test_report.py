"""A report's figures are a count over the topics, and it names no account."""

import csv
import io
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from streams.index.database import reading
from streams.index.report import Report, dsa_of, report
from streams.index.report_forms import WRITE, Form
from streams.operate.audit.records import millis
from tests.core.given import START
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS, Tape


def of(tape: Tape, folder: Path, start: int = START, end: int | None = None) -> Report:
    with reading(filled(folder, tape)) as connection:
        return report(connection, start, tape.now + 1 if end is None else end)


@pytest.mark.parametrize("name", ["clean", "stricter", "shadow"])
def test_figures_are_a_count_over_the_topics(name: str, tmp_path: Path) -> None:
    tape = RECORDINGS[name]()
    middle = (START + tape.now) // 2
    for number, (start, end) in enumerate([(START, tape.now + 1), (START, middle)]):
        found = of(tape, tmp_path / str(number), start, end)
        counted: Counter[tuple[str | None, ...]] = Counter()
        for it in tape.events:
            if it["mode"] == "enforce" and start <= millis(it["decided_at"]) < end:
                counted[it["event"], it.get("surface"), it.get("level"), it["reason"]] += 1
        told: Counter[tuple[str | None, ...]] = Counter()
        for line in found.events:
            told[line.event, line.surface, line.level, line.reason] += line.count
        assert told == counted
        assert {it.field for it in found.events} <= {"finance"}


def test_appeals_are_counted_with_how_many_were_right(tmp_path: Path) -> None:
    found = of(RECORDINGS["clean"](), tmp_path)
    (appeals,) = found.appeals
    assert (appeals.opened, appeals.upheld, appeals.rejected) == (2, 1, 1)
    assert appeals.overturned_ppm == 500_000


def test_restrictions_are_called_what_the_dsa_calls_them() -> None:
    assert dsa_of("throttle.applied", "recommend-feed", "off") == (
        "DECISION_VISIBILITY_CONTENT_DEMOTED"
    )
    assert dsa_of("throttle.applied", "tips", "off") == "DECISION_MONETARY_SUSPENSION"
    assert dsa_of("throttle.applied", "tips", "limited") == "DECISION_MONETARY_OTHER"
    assert dsa_of("throttle.lifted", "tips", None) is None


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []

    def handle_data(self, data: str) -> None:
        self.cells.append(data.strip())


def test_every_form_says_the_same_and_no_account(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    found = of(tape, tmp_path)
    forms = {form: write(found) for form, write in WRITE.items()}
    forms[Form.JSON] = json.dumps(found.as_dict())
    ids = {it["event_id"] for it in tape.events} | {it["invitation_id"] for it in tape.events}
    for text in forms.values():
        assert "weibo:a" not in text
        assert not [it for it in ids if it in text]
    rows = [row for row in csv.reader(io.StringIO(forms[Form.CSV])) if "throttle.applied" in row]
    page = _Cells()
    page.feed(forms[Form.HTML])
    applied = [it for it in found.events if it.event == "throttle.applied"]
    assert len(rows) == len(applied) == page.cells.count("throttle.applied")
    assert forms[Form.MARKDOWN].count("| throttle.applied |") == len(applied)
