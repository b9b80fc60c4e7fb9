"""Evidence on a page: asked for by an auditor, kept for seven days, downloaded as written."""

import hashlib
import json
from typing import Any

import pytest

from streams.console.aside import CommandEnd
from streams.console.pages.evidence import FILE
from streams.index import kept
from streams.index.database import reading
from streams.index.kept import EVIDENCE_FOR_MS, ReportKind
from tests.console.given import ConsoleGround, guard
from tests.console.test_access import written
from tests.console.test_pages import plain

PAGE = "/reports/evidence"
TOLD: dict[str, Any] = {
    "form": "byline-evidence/1",
    "sound": False,
    "decisions": 7,
    "events": [{"count": 3}, {"count": 4}],
    "invariants": {"breach_count": 2, "breaches": [{"why": "<img src=x>"}]},
    "samples": [{}],
}
FORM = {"from": "2024-01-01", "to": "2024-02-01", "platform": "weibo", "samples": "5"}


def gathered(ground: ConsoleGround, **form: str) -> str:
    """An auditor asks for evidence; the page afterwards."""
    ground.now += 1_000
    ground.commands.wrote = {FILE: json.dumps(TOLD, ensure_ascii=False)}
    ground.commands.ran = CommandEnd(1, "", "")
    browser = ground.signed_in("auditor")
    answer = browser.post(PAGE, data={"guard": guard(browser.get(PAGE)), **FORM, **form})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    ground.console.aside.wait()
    return browser.get(PAGE).text


def rows(ground: ConsoleGround) -> list[kept.KeptReport]:
    with reading(ground.engine) as connection:
        return kept.listed(connection, ReportKind.EVIDENCE)


def test_evidence_is_asked_for_of_the_days_in_the_persons_zone_and_downloaded_byte_for_byte(
    ground: ConsoleGround,
) -> None:
    assert "Nobody has asked for evidence" in ground.signed_in("auditor").get(PAGE).text
    page = gathered(ground)
    (words,) = ground.commands.asked
    assert words[0] == "evidence"
    assert words[1].endswith(FILE)
    assert words[2:] == [
        *("--from", "2023-12-31T16:00:00.000Z", "--to", "2024-01-31T16:00:00.000Z"),
        *("--samples", "5", "--platform", "weibo"),
    ]
    text = plain(page)
    assert "something does not hold" in text
    assert "7 decisions, 7 events, 2 breaches, 1 samples" in text
    (row,) = rows(ground)
    browser = ground.signed_in("auditor")
    file = browser.get(f"{PAGE}/{row.id}")
    name = "byline-evidence-2024-01-01-2024-02-01-weibo.json"
    assert file.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert file.headers["content-type"].startswith("application/json")
    assert file.text == ground.commands.wrote[FILE]
    beside = browser.get(f"{PAGE}/{row.id}?as=sha256").text
    assert beside == f"{hashlib.sha256(file.content).hexdigest()}  {name}\n"
    assert written(ground)[-1][:2] == ("auditor", f"console {PAGE}/{{report}}")


def test_evidence_is_for_an_auditor_alone(ground: ConsoleGround) -> None:
    gathered(ground)
    (row,) = rows(ground)
    for name in ("operator", "approver", "viewer", "numbers", "accounts"):
        browser = ground.signed_in(name)
        assert browser.get(PAGE).status_code == 403
        assert browser.get(f"{PAGE}/{row.id}").status_code == 403
        assert PAGE not in browser.get("/reports").text
    assert PAGE in ground.signed_in("auditor").get("/reports").text


def test_evidence_is_kept_for_seven_days(ground: ConsoleGround) -> None:
    gathered(ground)
    (row,) = rows(ground)
    ground.now += EVIDENCE_FOR_MS
    browser = ground.signed_in("auditor")
    assert row.id not in browser.get(PAGE).text
    assert browser.get(f"{PAGE}/{row.id}").status_code == 404
    gathered(ground)
    assert row.id not in {it.id for it in rows(ground)}


@pytest.mark.parametrize(
    "form",
    [
        {"samples": "-1"},
        {"samples": "101"},
        {"samples": "many"},
        {"from": "yesterday"},
        {"to": "2023-01-01"},
        {"platform": "--key=/etc/shadow"},
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything(
    ground: ConsoleGround, form: dict[str, str]
) -> None:
    browser = ground.signed_in("auditor")
    answer = browser.post(PAGE, data={"guard": guard(browser.get(PAGE)), **FORM, **form})
    assert answer.status_code == 400
    assert (ground.commands.asked, rows(ground)) == ([], [])


def test_without_kafka_the_page_says_what_the_command_says(ground: ConsoleGround) -> None:
    ground.commands.ran = CommandEnd(2, "", "no Kafka answers at <b>127.0.0.1</b>")
    browser = ground.signed_in("auditor")
    browser.post(PAGE, data={"guard": guard(browser.get(PAGE)), **FORM})
    ground.console.aside.wait()
    page = browser.get(PAGE).text
    assert "no Kafka answers at &lt;b&gt;127.0.0.1&lt;/b&gt;" in page
    assert "could not be worked out" in page
