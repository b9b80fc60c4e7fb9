"""deploy/setup.sh: what it says when it cannot go on, and that the lock is what it takes."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from streams.local.jars import pinned

CHECKOUT = Path(__file__).parents[2]


def setup(folder: Path, path: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f'. "{CHECKOUT}/deploy/setup.sh"; command -v byline'],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A PATH without any Python: what the script itself needs, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "grep", "cat", "dirname", "awk", "mktemp", "rm"):
        found = next(p for p in ("/usr/bin", "/bin") if Path(p, tool).exists())
        (folder / tool).symlink_to(Path(found, tool))
    return str(folder)


def test_an_old_python_is_refused_in_words(tmp_path: Path, tools: str) -> None:
    (tmp_path / "requirements.lock").write_text("")
    for name in ("python3.11", "python3", "python"):
        old = tmp_path / "bin" / name
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
    script = (CHECKOUT / "deploy/setup.sh").read_text().replace("/usr/bin/python3.11", "")
    (tmp_path / "setup.sh").write_text(script)
    done = subprocess.run(
        ["/bin/sh", "-c", ". ./setup.sh"],
        cwd=tmp_path,
        env={"PATH": tools},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("byline: Python 3.11 with its venv module is needed")
    assert "BYLINE_PYTHON=/path/to/python3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_another_folder_is_refused_in_words(tmp_path: Path, tools: str) -> None:
    done = setup(tmp_path, tools)
    assert done.returncode == 1
    assert done.stderr == (
        f"byline: there is no requirements.lock in {tmp_path}:"
        " run this from the checkout's folder\n"
    )


def test_the_lock_pins_every_package_by_hash_and_names_no_place() -> None:
    lock = (CHECKOUT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9][^ ]*==[^ ]+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE)) > 50
    assert "://" not in lock
    assert "--index" not in lock


def test_every_jar_is_pinned_by_digest() -> None:
    jars = pinned()
    assert "org.apache.kafka:kafka_2.13:4.2.0" in jars
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in jars.values())


@pytest.mark.slow
def test_a_wheel_has_the_policies_and_the_jars_lock(tmp_path: Path) -> None:
    """Without them an installed worker has no policies, and `byline kafka` no Kafka."""
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=CHECKOUT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {path.name for path in (CHECKOUT / "deploy/policies").glob("*.yaml")}
    assert len(shipped) == 7
    assert {f"streams/shipped_policies/{name}" for name in shipped} <= names
    assert {"streams/local/jars.lock", "streams/cli/__init__.py", "schemas/topics.py"} <= names
