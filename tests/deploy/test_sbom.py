"""What a wheel is made of is listed, audited, and installed from wheels alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.kinds import ROOT

LOCK = (ROOT / "requirements-runtime.lock").read_text()
PIN = re.compile(
    r"^([a-z0-9._-]+)==([^ ;]+)[^\n]*\n((?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n)+)", re.M
)


def _listed(folder: Path) -> dict[str, Any]:
    (folder / "byline-0-py3-none-any.whl").touch()
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "sbom.sh", folder],
        env={**os.environ, "BYLINE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^[0-9a-f]{64}  byline-0", done.stdout, re.M)) == 2
    found: dict[str, Any] = json.loads((folder / "byline-0.cdx.json").read_text())
    return found


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package_of_the_runtime_lock(tmp_path: Path) -> None:
    found = _listed(tmp_path)
    assert (found["bomFormat"], found["metadata"]["component"]["name"]) == ("CycloneDX", "byline")
    parts = {(it["name"], it["version"]): it for it in found["components"]}
    pins = {(name, version): hashes for name, version, hashes in PIN.findall(LOCK)}
    assert len(pins) > 40
    assert parts.keys() == pins.keys()
    for pin, hashes in pins.items():
        said = {one["content"] for it in parts[pin]["externalReferences"] for one in it["hashes"]}
        assert said == set(re.findall(r"sha256:([0-9a-f]{64})", hashes)), pin


def test_everything_that_the_image_installs_is_a_wheel_and_pinned_by_hash() -> None:
    # That each pin has one, tests/deploy/test_wheel.py shows: it installs them by these words.
    script = (ROOT / "deploy" / "image.sh").read_text().replace("\\\n", "")
    installs = [line for line in script.splitlines() if " install " in line and "$pip" in line]
    assert len(installs) == 3
    for line in installs:
        wheels_of_others = "--require-hashes --only-binary :all:" in line
        assert wheels_of_others or "--no-deps --no-index" in line, line


def test_the_workflow_audits_what_is_pinned() -> None:
    file = ROOT / ".github" / "workflows" / "checks.yml"
    jobs = YAML(typ="safe").load(file.read_text())["jobs"]
    said = " ".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert "pip-audit --strict --require-hashes" in said
