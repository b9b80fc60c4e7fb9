"""The shipped rules, and a case of an alert as a test of promtool's."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
RULE_FILES = [
    FOLDER / f"{name}.yaml" for name in ("recording", "service", "programme", "protection")
]

LONG_MINUTES = 150


@dataclass(frozen=True)
class RuleCase:
    """`series`, a value a minute in promtool's notation, and when the alert fires on them.

    `fires`: the minute, None for never. `quiet`: minutes at which it does not: before, and after.
    `labels`: what the alert carries beside its name and severity. `says`: its summary as sent.
    """

    alert: str
    series: Mapping[str, str]
    fires: int | None = None
    quiet: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    says: str = ""


@functools.cache
def _groups(file: Path) -> tuple[dict[str, Any], ...]:
    """Read once: every alert asks for its own rule among them, and none changes one."""
    return tuple(YAML(typ="safe").load(file.read_text())["groups"])


def groups() -> list[dict[str, Any]]:
    """All groups of the shipped files."""
    return [group for file in RULE_FILES for group in _groups(file)]


def _rules(file: Path) -> list[dict[str, Any]]:
    return [rule for group in _groups(file) for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """All alerts by name."""
    return {it["alert"]: it for group in groups() for it in group["rules"] if "alert" in it}


def anchor(alert: str) -> str:
    """Where the runbook speaks of an alert."""
    return f"deploy/runbook.md#{alert.lower()}"


def promtool_files(cases: Iterable[RuleCase]) -> list[dict[str, Any]]:
    """The cases as `promtool test rules` reads them: those that go on for hours in larger steps."""
    listed = list(cases)
    short = [case for case in listed if _last(case) <= LONG_MINUTES]
    long = [case for case in listed if _last(case) > LONG_MINUTES]
    return [_file(short, "1m"), _file(long, "10m")]


def _last(case: RuleCase) -> int:
    return max((*case.quiet, case.fires or 0))


def _file(cases: list[RuleCase], step: str) -> dict[str, Any]:
    wanted = {case.alert for case in cases}
    files = [
        file
        for file in RULE_FILES
        if file.stem == "recording" or wanted & {it.get("alert") for it in _rules(file)}
    ]
    severity = {name: rule["labels"]["severity"] for name, rule in alerts().items()}
    return {
        "rule_files": [str(file) for file in files],
        "evaluation_interval": step,
        "group_eval_order": [f"byline-{file.stem}" for file in files],
        "tests": [_test(case, severity[case.alert]) for case in cases],
    }


def _test(case: RuleCase, severity: str) -> dict[str, Any]:
    expected = [_at(case, minute) for minute in case.quiet]
    if case.fires is not None:
        sent = {
            "exp_labels": {"severity": severity, **case.labels},
            "exp_annotations": {"summary": case.says, "runbook": anchor(case.alert)},
        }
        expected.append(_at(case, case.fires) | {"exp_alerts": [sent]})
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    return {"interval": "1m", "input_series": series, "alert_rule_test": expected}


def _at(case: RuleCase, minute: int) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": []}
