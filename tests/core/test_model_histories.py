"""A long run against the model is kept in parts."""

import json
from pathlib import Path

from tests.core.model_histories import main


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kept = tmp_path / "parts.json"
    for lives in ("1", "1", "2"):
        assert main(["--first", "40", "--lives", lives, "--json", str(kept)]) == 0
    told = [(part["first"], part["histories"]) for part in json.loads(kept.read_text())]
    assert told == [(40, 15), (41, 15)]
