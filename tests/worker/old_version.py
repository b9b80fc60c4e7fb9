"""Version 0.1.0 as it was shipped: its wheel, built from its commit."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.worker.harness import ROOT

COMMIT = "a5e64e9c1a0a886722ea4e57fa929113c4df4383"


def source_of(folder: Path) -> Path:
    """The tree of 0.1.0, put below `folder`.

    Needs the project's history: a shallow clone has not got the commit, and fails here.
    """
    folder.mkdir(parents=True)
    source, archive = folder / "source", folder / "source.tar"
    subprocess.run(["git", "archive", "--output", archive, COMMIT], cwd=ROOT, check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(source, filter="data")
    return source


def built(folder: Path) -> Path:
    """Build the wheel of 0.1.0 below `folder` and unpack it; the folder to import it from."""
    source = source_of(folder)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = (source / "dist").glob("byline-0.1.0-*.whl")
    with zipfile.ZipFile(wheel) as packed_wheel:
        packed_wheel.extractall(folder / "installed")
    return folder / "installed"
