"""The files around the code name paths and versions that exist."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
IMAGE_EXTRAS = ("console", "otel", "postgresql", "signing")
"""Of what the image installs: its services are worker, index, console and auditor."""
GITHUB = sorted((ROOT / ".github").rglob("*.md"))


@pytest.mark.parametrize("document", GITHUB, ids=lambda it: it.name)
def test_every_path_that_a_document_for_contributors_names_exists(document: Path) -> None:
    for path in re.findall(r"`((?:streams|schemas|deploy|tests)/[\w./-]*)`", document.read_text()):
        assert (ROOT / path).exists(), path


def test_no_file_holds_the_marks_of_a_merge() -> None:
    """They stood in a page for a day: prose is read by no program."""
    marks = re.compile(rb"^(<{7}|>{7}|\|{7}) ", re.M)
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name.decode() for name in found.stdout.split(b"\0") if name]
    assert [it for it in files if it.is_file() and marks.search(it.read_bytes())] == []


def test_every_folder_with_an_owner_exists() -> None:
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert all(owners for _, *owners in rules)
    for path, *_ in rules:
        assert path == "*" or (ROOT / path.strip("/")).exists(), path


def test_the_workflow_runs_what_a_person_runs_on_the_python_that_is_supported() -> None:
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/checks.yml").read_text())
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert "sh tests/run.sh" in commands
    assert any("pip-audit --strict" in it and "requirements.lock" in it for it in commands)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (ROOT / ".python-version").read_text().strip() in project["requires-python"]


def test_the_hooks_before_a_commit_are_checks_of_the_whole() -> None:
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text())
    whole = (ROOT / "tests/run.sh").read_text()
    for repository in hooks["repos"]:
        for hook in repository["hooks"]:
            assert hook["entry"].replace(" --force-exclude", "").split()[0] in whole


def test_the_licence_is_stated_and_its_text_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    (text,) = project["license-files"]
    assert "Apache License" in (ROOT / text).read_text()


def _pins(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+==[^ ;]+)", (ROOT / lock).read_text(), re.M))


def test_the_lock_of_the_runtime_is_part_of_the_one_for_development() -> None:
    runtime = _pins("requirements-runtime.lock")
    assert runtime < _pins("requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in IMAGE_EXTRAS:
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[<>=~ \[]", it, maxsplit=1)[0].replace(".", "-") for it in wanted}
    assert names <= {it.partition("==")[0] for it in runtime}
    for extra in IMAGE_EXTRAS:
        assert f"--extra {extra}" in (ROOT / ".github/CONTRIBUTING.md").read_text()


def test_every_extra_that_a_message_names_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = [
        found
        for file in (ROOT / "streams").rglob("*.py")
        for found in re.findall(r"to_install\(['\"](\w+)['\"]\)", file.read_text())
    ]
    assert len(said) >= 5
    assert set(said) <= project["optional-dependencies"].keys()


def test_every_room_of_tests_is_run() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = set(project["tool"]["pytest"]["ini_options"]["testpaths"])
    rooms = {f"tests/{it.relative_to(ROOT / 'tests').parts[0]}" for it in _test_files()}
    assert asked == rooms


def _test_files() -> list[Path]:
    return sorted((ROOT / "tests").rglob("test_*.py"))
