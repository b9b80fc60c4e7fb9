"""What people are told of a policy: the schema for editors, what keys mean, warnings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from typer.testing import CliRunner

from schemas import export
from schemas.policy_file import SOURCES, PolicyFile
from streams.cli.program import program_of
from streams.lives.nodes import plain
from streams.policies import PolicyFaults, load_policy
from streams.policies.document import read_document
from streams.policies.faults import Findings
from streams.policies.keys import UnknownKey, all_keys, find
from streams.policies.reading import KEYS, OPTIONAL
from streams.policies.warnings import warnings
from streams.settings_checks import variable
from tests.policies.given import HERE, SHIPPED, loaded, written

SCHEMAS = {
    name: Draft202012Validator(json.loads(text))
    for name, text in export.read().items()
    if name in export.FILES_OF_PEOPLE
}
ANY_KEYS = frozenset({"platform", "mode", "version", "policies", "policy", "start", "tests"})
GOOD = [*sorted(SHIPPED.glob("*.yaml")), HERE / "good.yaml", HERE / "zhihu.yaml"]


def document(path: Path) -> Any:
    root = read_document(path, Findings(str(path)), ANY_KEYS)
    assert root is not None
    return plain(root)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_policy_that_the_loader_takes_is_one_by_the_schema(path: Path) -> None:
    assert [it.message for it in SCHEMAS["policy.json"].iter_errors(document(path))] == []


@pytest.mark.parametrize("path", sorted((SHIPPED / "tests").glob("*.yaml")), ids=lambda it: it.stem)
def test_the_shipped_tests_are_policy_tests_by_the_schema(path: Path) -> None:
    assert [it.message for it in SCHEMAS["policy-test.json"].iter_errors(document(path))] == []


@pytest.mark.parametrize("path", GOOD[:7], ids=lambda path: path.stem)
def test_a_shipped_file_tells_the_editor_where_its_schema_is(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    place = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / place).resolve() == SHIPPED.parents[1] / "schemas/generated/policy.json"


def test_the_schema_and_the_loader_know_the_same_keys() -> None:
    top = {it.path for it in all_keys() if "." not in it.path}
    assert top == KEYS
    assert {it.path for it in all_keys() if not it.required and "." not in it.path} == {*OPTIONAL}


def _without(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Copies of a document, each without one key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}", {k: v for k, v in value.items() if k != key}
            for where, copy in _without(inner, f"{path}.{key}"):
                yield where, {**value, key: copy}
    if isinstance(value, list):
        for place, inner in enumerate(value):
            for where, copy in _without(inner, f"{path}[{place}]"):
                yield where, [*value[:place], copy, *value[place + 1 :]]


def test_a_key_that_the_loader_needs_is_one_that_the_schema_needs(tmp_path: Path) -> None:
    for number, (where, copy) in enumerate(_without(document(HERE / "good.yaml"), "")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(json.dumps(copy, ensure_ascii=False), encoding="utf-8")
        try:
            load_policy(path)
            taken = True
        except PolicyFaults:
            taken = False
        try:
            PolicyFile.model_validate(copy)
            by_schema = True
        except ValidationError:
            by_schema = False
        # The schema cannot say that a policy in enforce needs more.
        assert by_schema or not taken, where
        assert not by_schema or taken, where


def test_every_key_says_what_it_means_and_who_decides() -> None:
    keys = all_keys()
    assert len(keys) > 40
    for key in keys:
        assert key.means.endswith(".")
        assert key.source in SOURCES.values()
        if key.path.rpartition(".")[2] in ("dwell", "window", "leave_after", "answer_window"):
            assert key.unit == "ISO 8601, days to seconds"


def test_a_key_is_found_by_its_last_part_and_a_slip_is_named() -> None:
    assert [it.path for it in find("answer_window")] == ["notice.answer_window"]
    caps = ["caps", "caps.invitations_per_day", "caps.throttles_per_hour"]
    assert [it.path for it in find("caps")] == caps
    with pytest.raises(UnknownKey, match="did you mean exit_ratio"):
        find("exit_ratoi")


def test_explain_says_the_unit_and_the_source_in_each_file() -> None:
    done = CliRunner().invoke(program_of("policy"), ["policy", "explain", "answer_window"])
    assert done.exit_code == 0
    assert "unit: ISO 8601, days to seconds" in done.stdout
    assert "decided by: what the platform announced; null while it has not" in done.stdout
    assert "weibo.yaml:24: null  # not announced" in done.stdout


def test_labels_of_a_field_that_is_not_covered_are_a_warning(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path, ("财经: finance", "财经: finance, 育人: education, 政: politics, 治: politics")
    )
    assert warnings(policy) == [
        "fields.labels: nobody is invited for what is not covered: education (育人),"
        " politics (政, 治); add such a field to fields.covered,"
        " or move its labels to exempt_labels"
    ]


def test_enforce_without_guards_is_a_warning(tmp_path: Path) -> None:
    enforce = ("\nmode: shadow", "\nmode: enforce")
    assert warnings(loaded(tmp_path, enforce)) == []
    guards = "guards: {window: PT1H, minimum: 50, undelivered_ratio: 0.2}"
    (warning,) = warnings(loaded(tmp_path, enforce, (guards, "")))
    assert warning.startswith("guards: enforce without guards:")


def test_labels_that_differ_in_spaces_alone_are_a_warning(tmp_path: Path) -> None:
    policy = loaded(tmp_path, ("财经: finance", "财经: finance, 财 经: law"))
    assert warnings(policy) == [
        "fields: the labels '财 经' and '财经' differ in spaces or case alone, and they mean"
        " different things; keep the one that the platform writes"
    ]


def test_check_prints_warnings_and_still_ends_well() -> None:
    done = CliRunner().invoke(program_of("policy"), ["policy", "check", str(SHIPPED)])
    assert done.exit_code == 0
    assert "warning: weibo: fields.labels: nobody is invited for what is not covered" in done.stdout


def test_a_window_and_a_minimum_without_a_ratio_are_a_warning(tmp_path: Path) -> None:
    enforce = ("\nmode: shadow", "\nmode: enforce")
    (warning,) = warnings(loaded(tmp_path, enforce, (", undelivered_ratio: 0.2", "")))
    assert warning.startswith("guards: a window and a minimum without any ratio guard nothing")


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("phases.followers", ["weibo.yaml:8: 1000000", "weibo.yaml:9: 500000"]),
        (
            "phases.from",
            [
                "weibo.yaml:8: 2023-10-31T00:00:00+08:00",
                "weibo.yaml:9: 2023-12-22T00:00:00+08:00",
            ],
        ),
        ("approvals.actor", ["weibo.yaml:6: li.w", "weibo.yaml:6: zhao.m"]),
        ("consequence.surfaces.level", ["weibo.yaml:16: limited", "weibo.yaml:16: off"]),
        ("consequence.surfaces.mode", ["weibo.yaml:16: shadow"]),
        ("phases.answer_by", []),
    ],
)
def test_explain_says_the_value_of_each_element_of_a_list(
    key: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.setenv(variable("policies"), str(tmp_path))
    done = CliRunner().invoke(program_of("policy"), ["policy", "explain", key])
    assert done.exit_code == 0
    found = [it.strip() for it in done.stdout.splitlines() if "weibo.yaml:" in it]
    assert found == lines
