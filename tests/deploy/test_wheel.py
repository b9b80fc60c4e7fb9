"""The steps of the image, without containers: wheel, empty environment, another user, read-only.

Packages are fetched as everywhere in this project, by the hashes of the lock.
"""

import json
import os
import subprocess
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.kafka.columns import available
from tests.deploy.kinds import ROOT
from tests.deploy.wheel import NOBODY, as_nobody, common_ground, image, interpreter, own_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Byline = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed() -> Iterator[tuple[Path, Path]]:
    """The wheel and the environment that it is installed in."""
    try:
        interpreter()
    except LookupError as error:
        pytest.skip(str(error))
    with common_ground() as folder:
        image("wheel", folder / "dist")
        image("install", folder / "byline", folder / "dist")
        (wheel,) = (folder / "dist").glob("byline-*.whl")
        own_folder(folder / "data")
        yield wheel, folder / "byline"


@pytest.fixture
def byline(installed: tuple[Path, Path]) -> Byline:
    """`byline("--version")` of the wheel, as nobody, with the environment mounted read-only."""
    _, environment = installed
    data = environment.parent / "data"
    inside = [*as_nobody(environment), str(environment / "bin" / "byline")]

    def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*inside, *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": "/nonexistent",
                "COLUMNS": "200",
                "PYTHONDONTWRITEBYTECODE": "1",
                "BYLINE_DATA_DIR": str(data),
                "BYLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                **settings,
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_the_wheel_holds_the_program_and_its_policies_and_no_test(
    installed: tuple[Path, Path],
) -> None:
    wheel, _ = installed
    names = zipfile.ZipFile(wheel).namelist()
    assert "streams/shipped_policies/weibo.yaml" in names
    assert "streams/index/migrations/env.py" in names
    assert not [it for it in names if it.startswith(("tests/", "deploy/"))]
    assert wheel.stat().st_size < 2_000_000
    # With the compiled part, if this checkout has it, it fits one platform only.
    compiled = [it for it in names if it.startswith("streams/kafka/_columns.") and ".so" in it]
    assert bool(compiled) is available()
    assert wheel.name.endswith("-py3-none-any.whl") is not available()


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


def test_who_runs_it_can_write_nowhere_in_it(installed: tuple[Path, Path]) -> None:
    """And starts itself anew, as the demo starts its workers."""
    _, environment = installed
    program = (
        "import os, subprocess, sys, pathlib\n"
        "print(os.getuid(), subprocess.run([sys.executable, '-c', '']).returncode)\n"
        "for place in (sys.prefix, sys.prefix + '/bin', sys.path[-1]):\n"
        "    try: pathlib.Path(place, 'new').touch()\n"
        "    except OSError: print('refused')\n"
    )
    words = [*as_nobody(environment), str(environment / "bin" / "python"), "-c", program]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    assert done.stdout.split() == [str(user), "0", *["refused"] * 3], done.stderr


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (["console"], {}, "BYLINE_ROLES_FILE is missing"),
        (
            ["index"],
            {"BYLINE_DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"},
            "postgresql+psycopg://nobody@127.0.0.1:1/nothing does not answer",
        ),
    ],
    ids=["console", "postgresql"],
)
def test_what_a_service_needs_is_installed(
    byline: Byline, words: list[str], settings: dict[str, str], says: str
) -> None:
    """Without its packages each would name the extra to install."""
    said = byline(*words, **settings)
    assert said.returncode == 2
    assert says in said.stderr


def test_traces_and_signatures_are_installed(installed: tuple[Path, Path]) -> None:
    _, environment = installed
    program = "from streams.traces import *; import opentelemetry.sdk.trace, cryptography"
    words = [*as_nobody(environment), str(environment / "bin" / "python"), "-c", program]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_its_doctor_finds_only_that_there_is_no_kafka(byline: Byline) -> None:
    said = byline("doctor", "--json")
    assert said.returncode == 1, said.stderr
    looks = {it["look"]: it["verdict"] for it in json.loads(said.stdout)["looks"]}
    assert {look for look, verdict in looks.items() if verdict in ("wrong", "failed")} == {"Kafka"}
