"""Programs that tests use and pip does not bring: where they are, and what is not run without them.

A test says `@pytest.mark.part("promtool")` and calls `program("promtool")`. Where the part is
absent the test is skipped, and the run's last line says so; with `--all-parts` it fails. A new part
is a line of `PARTS` and one of `deploy/parts.sh`, which installs them.
"""

import functools
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from streams.kafka import columns

COMPILED = "columns"
"""The compiled part, which is no program: a module."""
PARTS: Mapping[str, str] = {
    "browser": "byline-chromium",
    COMPILED: "",
    "contracts-node": "contracts-node",
    "docker-compose": "docker-compose",
    "go": "go",
    "hadolint": "hadolint",
    "jdk": "javac",
    "kafka-tools": "kafka-console-consumer.sh",
    "kcat": "kcat",
    "kubernetes-validate": "kubernetes-validate",
    "kustomize": "kustomize",
    "moto-server": "moto_server",
    "oidc-provider": "oidc-provider-node",
    "prometheus": "prometheus",
    "prometheus-operator-validate": "prometheus-operator-validate",
    "promtool": "promtool",
    "strimzi-crd": "strimzi-crd",
    "systemd-analyze": "systemd-analyze",
}
"""Name of a part -> its program."""

_MISSING = "not on this machine (sh deploy/parts.sh brings it): "


@functools.cache
def found(part: str) -> str | None:
    """The path of the part's program: beside this Python, where `deploy/parts.sh` puts it, or
    anywhere on the PATH. None where there is none.

    Raises `KeyError` for a part that `PARTS` does not name.
    """
    if part == COMPILED:
        return columns.compiled.__file__ if columns.available() else None
    beside = str(Path(sys.executable).parent)
    return shutil.which(PARTS[part], path=os.pathsep.join([beside, os.environ.get("PATH", "")]))


def program(part: str) -> str:
    """The path of a program that the test's mark promised.

    Raises `AssertionError` where it is absent: the test lacks its mark.
    """
    path = found(part)
    assert path, f"{part} is absent: mark the test with @pytest.mark.part({part!r})"
    return path


def wanted(item: pytest.Item) -> list[str]:
    """The parts that a test's marks name."""
    return [name for mark in item.iter_markers("part") for name in mark.args]


def demand(item: pytest.Item, all_parts: bool) -> None:
    """Skip a test that lacks a part; fail it where all parts have to be there.

    Raises `UsageError` for a mark that names no known part.
    """
    unknown = [part for part in wanted(item) if part not in PARTS]
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: tests/support/parts.py has no part {unknown[0]}")
    absent = [part for part in wanted(item) if found(part) is None]
    if absent and all_parts:
        pytest.fail(_MISSING + ", ".join(absent), pytrace=False)
    if absent:
        pytest.skip(_MISSING + ", ".join(absent))


def absent_line(reasons: Iterable[str]) -> str:
    """One line for the end of a run, from the reasons for which tests were skipped."""
    missing = [reason.partition(_MISSING)[2] for reason in reasons if _MISSING in reason]
    if not missing:
        return "parts: all that these tests want are here"
    counts = Counter(part for parts in missing for part in parts.split(", "))
    each = ", ".join(f"{part} ({count})" for part, count in sorted(counts.items()))
    tests = "1 test" if len(missing) == 1 else f"{len(missing)} tests"
    return f"parts absent: {each}; {tests} not run for them (sh deploy/parts.sh brings them)"
