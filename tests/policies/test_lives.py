"""`byline policy test`: what holds, what does not and how it is said, what a suite exercises."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from streams.cli.program import program_of
from streams.lives.mutants import run_mutants
from streams.lives.running import ROWS, failure_text, junit, rows_taken, run_suite
from streams.lives.suite import read_suite
from streams.policies import PolicyFaults
from tests.policies.given import GOOD, SHIPPED

POLICY = program_of("policy")
SUITES = sorted((SHIPPED / "tests").glob("*.yaml"))
HEAD = """
policy: weibo.yaml
start: 2024-02-01T00:00:00+08:00
with:
  older: {version: 1}
  enforce: {version: 9, mode: enforce, impact_assessment: PIA-1, notice: {answer_window: P14D}}
tests:
"""
INVITED = """
  - name: invited
    under: enforce
    steps: [{at: PT0S, label: 财经, followers: 2000000}]
    until: P2D
"""


def suite_of(folder: Path, tests: str, head: str = HEAD) -> Path:
    (folder / "weibo.yaml").write_text(GOOD, encoding="utf-8")
    path = folder / "suite.yaml"
    path.write_text(head.lstrip() + tests.strip("\n"), encoding="utf-8")
    return path


def said(folder: Path, tests: str) -> list[str]:
    """What the failures of a suite say, without their first lines."""
    failed = run_suite(read_suite(suite_of(folder, tests))).failed
    return [line for result in failed for line in failure_text(result).splitlines()[1:]]


def refused(folder: Path, tests: str, head: str = HEAD) -> str:
    with pytest.raises(PolicyFaults) as caught:
        read_suite(suite_of(folder, tests, head))
    return str(caught.value).replace(str(folder), "")


def test_a_life_that_goes_as_expected_holds(tmp_path: Path) -> None:
    assert said(tmp_path, f"{INVITED}    events: [P1D invitation.issued over_line enforce]") == []


def test_what_is_missing_and_what_is_too_much_are_told_apart(tmp_path: Path) -> None:
    wanted = "events: [P1DT1S invitation.issued over_line]"
    assert said(tmp_path, f"{INVITED}    {wanted}") == [
        "    - P1DT1S invitation.issued over_line",
        "    + P1D invitation.issued over_line enforce",
    ]


def test_a_field_that_differs_is_shown(tmp_path: Path) -> None:
    wanted = "events: [{event: invitation.issued, line: 7}]"
    assert said(tmp_path, f"{INVITED}    {wanted}") == [
        "    - invitation.issued line=7",
        "    + P1D invitation.issued over_line enforce line=500000",
    ]


def test_an_event_that_must_never_follow_is_named(tmp_path: Path) -> None:
    assert said(tmp_path, f"{INVITED}    never: [invitation.issued]") == [
        "    + P1D invitation.issued over_line enforce   (never: invitation.issued)"
    ]


def test_events_are_counted(tmp_path: Path) -> None:
    assert said(tmp_path, f"{INVITED}    counts: {{invitation.issued: 2}}") == [
        "    - 2 of invitation.issued, not 1"
    ]


def test_one_of_the_included_events_is_missing(tmp_path: Path) -> None:
    assert said(tmp_path, f"{INVITED}    include: [consent.granted]") == [
        "    - consent.granted",
        "      P1D invitation.issued over_line enforce",
    ]


def test_a_policy_that_stops_the_worker_fails_the_test(tmp_path: Path) -> None:
    older = (
        "  - name: older\n    under: enforce\n    steps: [{at: PT0S}, {at: P1D, policy: older}]\n"
        "    events: []"
    )
    assert "the worker would stop" in said(tmp_path, older)[0]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (f"{INVITED}    events: [invitation.isued]", "did you mean 'invitation.issued'?"),
        (f"{INVITED}    events: [invitation.issued overline]", "did you mean 'over_line'?"),
        (f"{INVITED}    events: [{{lines: 7}}]", "did you mean 'line'?"),
        (INVITED, "the test expects nothing; write events: [] if nothing follows"),
        ("  - {name: a, events: []}", "nothing happens in the test"),
        ("  - {name: a, given: b, steps: [{at: P1D}], events: []}", "nothing is given under"),
        ("  - {name: a, under: b, steps: [{at: P1D}], events: []}", "no block of with:"),
        ("  - {name: a, steps: [{at: P2D}, {at: P1D}], events: []}", "not in the order of time"),
        ("  - {name: a, steps: [{at: P1D, followers: $x}], events: []}", "nothing is called $x"),
        ("  - {name: a, steps: [{at: P1D, label: $x}], events: []}", "nothing is called $x"),
        ("  - {name: a, steps: [{at: P1Y}], events: []}", "tests.0.steps.0.at: string should"),
        ("  - {name: a, stepps: [], events: []}", "tests.0.stepps: extra inputs"),
    ],
)
def test_a_slip_is_refused_with_its_line(tmp_path: Path, test: str, words: str) -> None:
    message = refused(tmp_path, test)
    assert message.startswith(("/suite.yaml:7:", "/suite.yaml:8:"))
    assert words in message


def test_a_block_that_makes_no_policy_is_refused_where_it_stands(tmp_path: Path) -> None:
    head = HEAD.replace("answer_window: P14D", "answer_window: PT0S")
    message = refused(tmp_path, f"{INVITED}    events: []", head)
    assert message.startswith("/suite.yaml:5: notice.answer_window:")


def test_another_file_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("password: hunter2", encoding="utf-8")
    with pytest.raises(PolicyFaults, match="this is no policy test") as caught:
        read_suite(tmp_path / "x.yaml")
    assert "hunter2" not in str(caught.value)


@pytest.mark.slow
def test_the_shipped_lives_hold_and_take_every_row_for_each_platform() -> None:
    result = run_suite(read_suite(SHIPPED / "tests" / "lives.yaml"))
    assert [failure_text(it) for it in result.failed] == []
    taken = rows_taken([result])
    assert sorted(taken) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    for platform, rows in taken.items():
        assert rows == ROWS, (platform, ROWS - rows)


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
@pytest.mark.slow
def test_what_ships_says_what_its_policy_does(path: Path) -> None:
    assert [failure_text(it) for it in run_suite(read_suite(path)).failed] == []


def test_a_sample_of_changes_of_shipped_policies_is_noticed() -> None:
    """All of them: `python -m tests.policies.values`, values.md."""
    suite = read_suite(SHIPPED / "tests" / "weibo.yaml")
    results = run_mutants([suite], only="phases")
    assert len(results) > 10
    assert [it for it in results if it.noticed_by is None] == []


def test_junit_names_each_case_and_what_differs(tmp_path: Path) -> None:
    two = f"{INVITED}    events: []{INVITED}    never: [consent.granted]"
    root = ElementTree.fromstring(junit([run_suite(read_suite(suite_of(tmp_path, two)))]))
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ["invited", "invited"]
    assert "+ P1D invitation.issued" in (suite[0][0].text or "")


def test_the_command_ends_with_1_when_a_test_does_not_hold(tmp_path: Path) -> None:
    path = suite_of(tmp_path, f"{INVITED}    events: []")
    done = CliRunner().invoke(
        program_of("policy"), ["policy", "test", str(path), "--json", "--coverage"]
    )
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["cases"], answer["rows"]["weibo"]["of"]) == (False, 1, len(ROWS))
    assert answer["failed"][0]["difference"] == ["+ P1D invitation.issued over_line enforce"]


def test_a_value_counts_when_a_test_notices_its_change(tmp_path: Path) -> None:
    path = suite_of(tmp_path, f"{INVITED}    events: [P1D invitation.issued over_line]")
    done = CliRunner().invoke(
        program_of("policy"), ["policy", "test", str(path), "--json", "--values"]
    )
    noticed = {it["change"]: it["noticed_by"] for it in json.loads(done.stdout)["values"]}
    assert noticed["stability.dwell +24 h"] == "invited"
    assert noticed["stability.cool_down +24 h"] is None


def test_values_of_a_policy_that_covers_one_field_are_changed_too(tmp_path: Path) -> None:
    """The only covered field has no other beside it to which its labels could be moved."""
    path = suite_of(tmp_path, f"{INVITED}    events: [P1D invitation.issued over_line]")
    one = GOOD.replace("[finance, law]", "[finance]").replace(", 法律: law", "")
    (tmp_path / "weibo.yaml").write_text(one, encoding="utf-8")
    done = CliRunner().invoke(
        program_of("policy"), ["policy", "test", str(path), "--json", "--values"]
    )
    assert done.exit_code == 0, done.exception
    noticed = {it["change"]: it["noticed_by"] for it in json.loads(done.stdout)["values"]}
    assert noticed["fields.labels.财经 removed"] == "invited"
    assert [it for it in noticed if it.startswith("fields.labels.财经")] == [
        "fields.labels.财经 removed"
    ]


def test_values_of_a_policy_that_covers_no_field_are_changed_too(tmp_path: Path) -> None:
    path = suite_of(tmp_path, f"{INVITED}    events: []")
    none = GOOD.replace("[finance, law]", "[]")
    (tmp_path / "weibo.yaml").write_text(none, encoding="utf-8")
    noticed = {it.change: it.noticed_by for it in run_mutants([read_suite(path)], only="fields")}
    assert noticed["fields.covered with finance"] == "invited"


def test_values_of_two_files_of_one_platform_stand_side_by_side(tmp_path: Path) -> None:
    suites = []
    wanted = {"one": "events: [P1D invitation.issued over_line]", "two": "never: [consent.granted]"}
    for name, words in wanted.items():
        (tmp_path / name).mkdir()
        test = f"{INVITED}    {words}"
        suites.append(read_suite(suite_of(tmp_path / name, test)))
    dwell = [it for it in run_mutants(suites) if it.change == "stability.dwell +1 s"]
    assert [it.noticed_by for it in dwell] == ["invited", None]
