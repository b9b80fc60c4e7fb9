"""deploy/systemd: as systemd itself reads the units, and how far each is closed."""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.kinds import DEPLOY, refuse_unknown_words, run, settings_in
from tests.support.parts import program

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSED = 1.5
"""Of 10: systemd's own figure for what a service could still do. It calls up to 2 "OK"."""
OTHERS = Path("/usr/lib/systemd/system")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with our units, systemd's own targets and the program that they start."""
    ours, program_file = tmp_path / "etc/systemd/system", tmp_path / "opt/byline/bin/byline"
    theirs = tmp_path / "usr/lib/systemd/system"
    for folder in (ours, theirs, program_file.parent):
        folder.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, ours)
    for unit in (*OTHERS.glob("*.target"), *OTHERS.glob("*.slice")):
        shutil.copy(unit, theirs)
    program_file.write_text("#!/bin/sh\n")
    program_file.chmod(0o755)
    return tmp_path


def named(unit: Path) -> str:
    """The unit as one starts it."""
    return unit.name.replace("@.", "@1.")


@pytest.mark.part("systemd-analyze")
def test_systemd_reads_each_unit_and_says_nothing(root: Path) -> None:
    """It ends with 0 on a bad value, too, and says so on standard error alone."""
    analyze = program("systemd-analyze")
    done = run(analyze, f"--root={root}", "verify", *map(named, UNITS))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    broken = root / "etc/systemd/system" / UNITS[0].name
    broken.write_text(broken.read_text().replace("ProtectSystem=strict", "ProtectSystem=strictly"))
    done = run(analyze, f"--root={root}", "verify", named(UNITS[0]))
    assert "Failed to parse protect system value" in done.stderr


@pytest.mark.part("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda it: it.stem)
def test_a_unit_can_do_little_but_what_it_is_for(unit: Path) -> None:
    done = run(program("systemd-analyze"), "security", "--offline=true", unit)
    (figure,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert float(figure) <= MOST_EXPOSED


def test_worker_index_console_and_auditor_are_there() -> None:
    named = {"byline-worker@", "byline-index", "byline-console", "byline-auditor"}
    assert {it.stem for it in UNITS} == named


@pytest.mark.parametrize("unit", UNITS, ids=lambda it: it.stem)
def test_a_unit_runs_what_byline_knows(unit: Path) -> None:
    text = unit.read_text()
    (line,) = re.findall(r"^ExecStart=/opt/byline/bin/byline (.*)$", text, re.M)
    refuse_unknown_words(line.split())
    settings_in(re.findall(r"^Environment=(\w+)=", text, re.M))
    # 2 is for a person: starting again would change nothing.
    assert re.search(r"^Restart=always\nRestartPreventExitStatus=2$", text, re.M)
    assert re.search(r"^StateDirectoryMode=0700$", text, re.M)
