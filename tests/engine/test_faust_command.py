"""`faust -A … worker` runs the same app as `run`, and does not open Faust's own pages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.harness import Toys

pytestmark = pytest.mark.kafka

HERE = Path(__file__).parent


def test_given_the_faust_command_then_the_same_app_runs_and_stops_with_0(toys: Toys) -> None:
    toys.add(400)
    told = {
        "prefix": toys.prefix,
        "bootstrap_servers": toys.bootstrap,
        "data_dir": str(toys.folder / "faust"),
    }
    with (toys.folder / "faust.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "faust", "-A", "tests.engine.toy_faust", "worker", "-l", "info"],
            env={**os.environ, "TOY": json.dumps(told), "PYTHONPATH": str(HERE.parents[1])},
            cwd=HERE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        toys.assert_exact()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
