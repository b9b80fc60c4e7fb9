"""The steps of the image, without containers: wheel, empty environment, another user, read-only.

Packages are fetched as everywhere in this project, by the hashes of the lock.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.kinds import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOBODY = 65_534
Byline = Callable[..., subprocess.CompletedProcess[str]]


def image(*words: str | Path) -> None:
    """A step of deploy/image.sh."""
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "image.sh", *words],
        env={**os.environ, "BYLINE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the environment that it is installed in."""
    folder = tmp_path_factory.mktemp("image")
    for path in (folder, folder.parent):
        path.chmod(0o755)
    image("wheel", folder / "dist")
    image("install", folder / "byline", folder / "dist")
    (wheel,) = (folder / "dist").glob("byline-*.whl")
    return wheel, folder / "byline"


@pytest.fixture
def byline(installed: tuple[Path, Path], tmp_path: Path) -> Byline:
    """`byline("--version")` of the wheel, as nobody, with the environment mounted read-only.

    Who is not root, or may not mount, runs it as himself where nothing is writable by its mode.
    """
    _, environment = installed
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    inside = [str(environment / "bin" / "byline")]
    if os.geteuid() == 0:
        os.chown(data, NOBODY, NOBODY)
        for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            path.chmod(0o755)
        inside = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *inside]
        if may_mount():
            script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
            inside = ["unshare", "--mount", "sh", "-euc", script, str(environment), *inside]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*inside, *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "COLUMNS": "200",
                "PYTHONDONTWRITEBYTECODE": "1",
                "BYLINE_DATA_DIR": str(data),
                "BYLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def may_mount() -> bool:
    """Whether this machine lets us have mounts of our own."""
    program = shutil.which("unshare")
    words = [program or "false", "--mount", "sh", "-c", "mount --bind /tmp /tmp"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_the_wheel_holds_the_program_and_its_policies_and_no_test(
    installed: tuple[Path, Path],
) -> None:
    wheel, _ = installed
    names = zipfile.ZipFile(wheel).namelist()
    assert "streams/shipped_policies/weibo.yaml" in names
    assert "streams/index/migrations/env.py" in names
    assert not [it for it in names if it.startswith(("tests/", "deploy/"))]
    assert wheel.stat().st_size < 2_000_000


def test_nothing_but_the_runtime_is_installed(installed: tuple[Path, Path]) -> None:
    _, environment = installed
    packages = {it.name.lower() for it in environment.glob("lib/python*/site-packages/*.dist-info")}
    assert packages
    for name in ("pip-", "setuptools-", "pytest-", "ruff-", "jgo-"):
        assert not [it for it in packages if it.startswith(name)], name


def test_it_runs_as_another_user_on_a_read_only_tree(byline: Byline) -> None:
    said = byline("--version")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (said.returncode, said.stdout) == (0, f"byline {version}\n"), said.stderr
    checked = byline("policy", "check", "--json")
    assert checked.returncode == 0, checked.stderr
    policies = json.loads(checked.stdout)["policies"]
    assert len(policies) == 7
    assert {it["mode"] for it in policies} == {"shadow"}


def test_its_doctor_finds_only_that_there_is_no_kafka(byline: Byline) -> None:
    said = byline("doctor", "--json")
    assert said.returncode == 1, said.stderr
    looks = {it["look"]: it["verdict"] for it in json.loads(said.stdout)["looks"]}
    assert {look for look, verdict in looks.items() if verdict in ("wrong", "failed")} == {"Kafka"}
