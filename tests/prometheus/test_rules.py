"""Each alert fires on its fault, is quiet before and after it, and says what a person reads."""

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.prometheus.cases_programme import PROGRAMME
from tests.prometheus.cases_protection import PROTECTION
from tests.prometheus.cases_service import SERVICE
from tests.prometheus.exported import exported
from tests.prometheus.rules import (
    FOLDER,
    RULE_FILES,
    RuleCase,
    alerts,
    anchor,
    groups,
    promtool_files,
)
from tests.support.parts import program

CASES = [*SERVICE, *PROGRAMME, *PROTECTION]
NAMES = re.compile(r"\b(?:[a-z_]+:)?(?:byline|process|up)\w*(?::\w+)?")


def _promtool(*words: str) -> str:
    done = subprocess.run(
        [program("promtool"), *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    return done.stdout + done.stderr


def _judged(cases: list[RuleCase], folder: Path) -> str:
    files = []
    for number, tests in enumerate(promtool_files(cases)):
        files.append(folder / f"cases-{number}.yaml")
        YAML(typ="safe").dump(tests, files[-1])
    return _promtool("test", "rules", *map(str, files))


@pytest.mark.part("promtool")
def test_promtool_accepts_the_rules_and_the_example() -> None:
    _promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, RULE_FILES))
    _promtool("check", "config", str(FOLDER / "prometheus.yaml"))


@pytest.mark.part("promtool")
@pytest.mark.parametrize(
    "cases", [SERVICE, PROGRAMME, PROTECTION], ids=["service", "programme", "protection"]
)
@pytest.mark.slow
def test_every_alert_fires_on_its_fault_and_on_nothing_else(
    cases: list[RuleCase], tmp_path: Path
) -> None:
    assert "SUCCESS" in _judged(cases, tmp_path)


@pytest.mark.part("promtool")
def test_a_case_that_is_not_so_is_told(tmp_path: Path) -> None:
    wrong = RuleCase("BylineRefusalGuardTripped", {"up": "1x10"}, fires=5, says="never")
    with pytest.raises(AssertionError, match="FAILED"):
        _judged([wrong], tmp_path)


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_has_cases_that_fire_resolve_and_stay_quiet(alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]
    assert any(case.fires is not None for case in cases)
    assert any(case.fires is None for case in cases)
    assert any(max(case.quiet, default=0) > (case.fires or 0) > 0 for case in cases), "resolves"


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_says_how_bad_it_is_what_to_do_and_where_to_read_on(alert: str) -> None:
    rule = alerts()[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == anchor(alert)
    assert 20 < len(rule["annotations"]["summary"]) < 200


def names_in(query: str) -> list[str]:
    """The metrics that a query names."""
    return NAMES.findall(re.sub(r'"[^"]*"', "", query))


def known_names() -> set[str]:
    """Every metric that is exported, recorded, or Prometheus' own."""
    rules = [rule for group in groups() for rule in group["rules"]]
    return {rule["record"] for rule in rules if "record" in rule} | exported() | {"up"}


def test_every_rule_uses_only_what_is_exported_or_recorded() -> None:
    known = known_names()
    for rule in (rule for group in groups() for rule in group["rules"]):
        for name in names_in(rule["expr"]):
            assert name in known, (rule.get("alert") or rule["record"], name)
