"""A policy test that would hold whatever its policy does is refused, or fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from schemas import export
from schemas.enums import Event
from streams.cli.program import program_of
from streams.lives.expectation import Form
from streams.lives.possible import ALL_FIELDS, TIMES, check_fields, fields_of
from streams.lives.suite import read_suite
from tests.policies.given import SHIPPED
from tests.policies.test_lives import HEAD, INVITED, refused, said, suite_of

SCHEMA = Draft202012Validator(json.loads(export.read()["policy-test.json"]))
IMPOSSIBLE = [
    ("invitation.issued recommend-feed", "invitation.issued has no surface"),
    ("invitation.issued off", "invitation.issued never has the mode 'off'"),
    ("invitation.issued review", "invitation.issued never has the reason 'review'"),
    ("throttle.renewed limited", "throttle.renewed has no level"),
    ("invitation.issued enforce shadow", "has one mode, not 'enforce' and 'shadow'"),
    ('{event: invitation.issued, line: "500000"}', "line of invitation.issued is never '500000'"),
    ("{event: invitation.issued, line: true}", "line of invitation.issued is never True"),
    ("{event: invitation.issued, line: null}", "line of invitation.issued is never null"),
    ("{event: invitation.issued, surface: recommend-feed}", "invitation.issued has no surface"),
    ("{event: invitation.issued, mode: enforcee}", "never has the mode 'enforcee'; did you mean"),
    ("{event: invitation.issued, field: 财经}", "field of invitation.issued is never"),
    ("{event: invitation.issued, surfaces_at_stake: [feed]}", "surfaces_at_stake of invitation"),
    ("{event: invitation.issued, notice_version: 1}", "notice_version of invitation.issued is"),
    ("{event: invitation.issued, sequence: 0}", "sequence of invitation.issued is never 0"),
    ("{event: invitation.issued, at: null}", "at of invitation.issued is never null"),
    ("{event: throttle.lifted, expires_at: null}", "throttle.lifted has no expires_at"),
    ("{mode: off}", "invitation.issued never has the mode 'off'"),
    ("{line: 7, surface: tips}", "no event can have line, surface as they are here together"),
    ("{statement: null}", "no event has a field 'statement'"),
    ("{account: somebody}", "no step is of the account 'somebody'"),
    ("P9D invitation.issued", "is not within the test (PT0S to P2D)"),
]


@pytest.mark.parametrize("under", ["never", "events", "include"])
@pytest.mark.parametrize(("form", "words"), IMPOSSIBLE, ids=[it for it, _ in IMPOSSIBLE])
def test_a_form_that_no_event_can_fit_is_refused(
    tmp_path: Path, under: str, form: str, words: str
) -> None:
    if "within the test" in words and under != "never":
        return
    assert words in refused(tmp_path, f"{INVITED}    {under}: [{form}]")


@pytest.mark.parametrize("name", ["deadline_at", "expires_at", "surface"])
def test_a_field_that_an_event_lacks_is_not_null(tmp_path: Path, name: str) -> None:
    form = f"{{event: invitation.issued, {name}: null}}"
    assert f"invitation.issued has no {name}" in refused(tmp_path, f"{INVITED}    events: [{form}]")
    any_event = Form(None, (), (("answer_by", None),))
    assert not any_event.fits({"event": "throttle.lifted"})
    assert any_event.fits({"event": "invitation.issued", "answer_by": None})


def test_a_form_of_any_event_fits_one_that_has_its_fields(tmp_path: Path) -> None:
    assert said(tmp_path, f"{INVITED}    include: [{{line: 500000}}, {{deadline_at: null}}]") == [
        "    - any event deadline_at=None"
    ]


def test_every_field_of_every_event_can_be_asked_for() -> None:
    for event in Event:
        for name in fields_of(event):
            if name in TIMES | {"at"}:
                check_fields(event, {name: "PT0S"})
    assert "statement" not in ALL_FIELDS
    assert {"decided_at", "answer_by", "review_at", "expires_at", "lifted_at"} <= TIMES


# ---- inputs --------------------------------------------------------------------------------------


def test_a_test_whose_inputs_are_refused_does_not_hold(tmp_path: Path) -> None:
    """A reading of the future was refused, so that nothing followed, as the test expects."""
    ahead = """
  - name: ahead
    under: enforce
    steps: [{at: PT0S, label: 财经, followers: 2000000, observed_at: P30D}]
    until: P2D
"""
    assert said(tmp_path, f"{ahead}    never: [invitation.issued]") == [
        "    - 0 of the inputs refused, not 2 (1 category-changes time_ahead observed_at, 1"
        " follower-counts time_ahead observed_at); mend the steps, or state refused:"
    ]
    assert said(tmp_path, f"{ahead}    refused: 2\n    never: [invitation.issued]") == []
    assert said(tmp_path, f"{ahead}    refused: 3\n    events: []") != []


def test_inputs_that_a_step_refuses_need_no_other_word(tmp_path: Path) -> None:
    test = "  - {name: a, steps: [{at: PT0S, refused: controls, accounts: 3}], events: []}"
    assert said(tmp_path, test) == []
    stated = test.replace("events", "refused: 2, events")
    assert "2 of the inputs refused, not 3 (3 controls missing_field" in said(tmp_path, stated)[0]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{at: PT0S, label: 财经, cause: correction}", "cause says nothing in a step without foll"),
        (
            "{at: PT0S, followers: 1, valid_until: P1D}",
            "valid_until says nothing in a step",
        ),
        ("{at: PT0S, failure: blocked}", "failure says nothing in a step without receipt"),
        ("{at: PT0S, followers: 1, said_at: P1D}", "said_at says nothing in a step without rec"),
    ],
)
def test_a_key_of_a_step_that_says_nothing_is_refused(
    tmp_path: Path, step: str, words: str
) -> None:
    assert words in refused(tmp_path, f"  - {{name: a, steps: [{step}], events: []}}")


# ---- nothing to run ------------------------------------------------------------------------------

ALL = "  - {name: a, steps: [{at: P1D}], events: []}"


@pytest.mark.parametrize(
    ("head", "test", "words"),
    [
        (HEAD.replace("policy: weibo.yaml", "policies: {}"), ALL, "policies: dictionary should"),
        (HEAD, ALL.replace("events", "each: [], events"), "tests.0.each: list should have at"),
        (HEAD, ALL.replace("events", "policies: [], events"), "tests.0.policies: list should"),
        (HEAD, ALL.replace("events: []", "counts: {invitation.isued: 0}"), "tests.0.counts.inv"),
        (HEAD, ALL.replace("events: []", "counts: {invitation.issued: -1}"), "greater than or eq"),
        (HEAD.replace("tests:", "tests: []"), "", "tests: list should have at least 1 item"),
        (
            HEAD.replace("policy:", "policies: {weibo: {file: weibo.yaml}}\npolicy:"),
            ALL,
            "policy: and policies: are both there; leave one of them out",
        ),
    ],
)
def test_a_file_that_tests_nothing_is_refused(
    tmp_path: Path, head: str, test: str, words: str
) -> None:
    assert words in refused(tmp_path, test, head)
    done = CliRunner().invoke(
        program_of("policy"), ["policy", "test", str(suite_of(tmp_path, test, head))]
    )
    assert done.exit_code == 1


# ---- the schema for editors ----------------------------------------------------------------------


def document(form: Any, **more: Any) -> dict[str, Any]:
    life = {"name": "a", "steps": [{"at": "PT0S"}], "never": [form], **more}
    return {"policy": "x.yaml", "start": "2024-01-01T00:00:00Z", "tests": [life]}


@pytest.mark.parametrize(
    "form",
    [
        "invitation.isued",
        "invitation.issued recommend-feed",
        "P1D throttle.renewed limited",
        {"event": "invitation.isued"},
        {"event": "invitation.issued", "surface": "tips"},
        {"event": "invitation.issued", "line": "500000"},
        {"event": "invitation.issued", "line": None},
        {"event": "invitation.issued", "mode": "enforcee"},
        {"event": "invitation.issued", "field": "财经"},
        {"event": "invitation.issued", "answer_by": "soon"},
        {"lines": 7},
    ],
    ids=str,
)
def test_the_schema_says_what_no_event_can_have(form: Any) -> None:
    assert not SCHEMA.is_valid(document(form))


@pytest.mark.parametrize(
    "form",
    [
        "P1D invitation.issued over_line shadow",
        "$at invitation.issued $reason",
        "2024-01-01T00:00:00+08:00 throttle.applied tips limited",
        "$event",
        {"event": "invitation.issued", "at": "P1D", "answer_by": None, "line": 1, "account": "a"},
        {"event": "invitation.issued", "line": "$line", "mode": "$mode"},
        {"event": "$event", "surface": "tips"},
        {"mode": "enforce"},
    ],
    ids=str,
)
def test_the_schema_takes_what_an_event_can_have(form: Any) -> None:
    assert [it.message for it in SCHEMA.iter_errors(document(form))] == []


def test_the_schema_asks_for_something_to_run() -> None:
    for more in ({"each": []}, {"policies": []}, {"counts": {"no.event": 0}}, {"refused": -1}):
        assert not SCHEMA.is_valid(document("throttle.applied", **more))
    assert not SCHEMA.is_valid({**document("throttle.applied"), "policies": {}})


# ---- what ships ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((SHIPPED / "tests").glob("*.yaml")), ids=lambda it: it.stem)
def test_every_form_that_ships_could_fit_an_event_of_its_test(path: Path) -> None:
    """The mutation score cannot notice a form that fits nothing. Reading refuses it."""
    cases = read_suite(path).cases
    assert [it.name for it in cases if it.refused < 0] == []
    forms = [form for it in cases for form in it.expectation.never]
    assert all(form.event in list(Event) for form in forms)
