"""A part that is absent is told in one line, and is a failure where all are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import parts

ROOT = Path(__file__).parents[2]
PLAN = """
import pytest
from tests.support import parts

@pytest.mark.part("promtool")
def test_that_wants_promtool():
    assert parts.program("promtool")

@pytest.mark.part("promtool", "kustomize")
def test_that_wants_two():
    pass

def test_that_wants_none():
    pass
"""


def _run(folder: Path, *options: str, path: str, python: Path) -> subprocess.CompletedProcess[str]:
    """Pytest over PLAN with the checkout's own conftest, on a PATH of its own."""
    (folder / "test_plan.py").write_text(PLAN)
    command = [str(python), "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-q", "-c", str(ROOT / "pyproject.toml"), *options, str(folder)],
        cwd=ROOT,
        env={"PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """This Python in a folder without any part beside it."""
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin/python"
    link.symlink_to(Path(sys.executable).resolve())
    return link


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the plan stands."""
    made = tmp_path / "plan"
    made.mkdir()
    return made


@pytest.mark.slow
def test_a_run_without_parts_passes_and_names_them_with_the_tests_not_run(
    folder: Path, python: Path, tmp_path: Path
) -> None:
    line = tmp_path / "line"
    told = _run(folder, "--parts-line", str(line), path="/nowhere", python=python)
    assert told.returncode == 0, told.stdout + told.stderr
    said = (
        "parts absent: kustomize (1), promtool (2); 2 tests not run for them"
        " (sh deploy/parts.sh brings them)"
    )
    assert said in told.stdout
    assert line.read_text() == said + "\n"


@pytest.mark.slow
def test_an_absent_part_is_a_failure_where_all_are_asked_for(folder: Path, python: Path) -> None:
    told = _run(folder, "--all-parts", path="/nowhere", python=python)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "promtool, kustomize" in told.stdout
    assert "1 passed, 2 errors" in told.stdout


@pytest.mark.slow
def test_a_part_on_the_path_is_used(folder: Path, python: Path, tmp_path: Path) -> None:
    for name in ("promtool", "kustomize"):
        made = tmp_path / "bin" / name
        made.write_text("#!/bin/sh\n")
        made.chmod(0o755)
    told = _run(folder, "--all-parts", path=str(tmp_path / "bin"), python=python)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "parts: all that these tests want are here" in told.stdout


def test_every_part_is_brought_by_the_script_or_by_the_lock() -> None:
    script = (ROOT / "deploy/parts.sh").read_text()
    for part in parts.PARTS:
        assert part in script, part
