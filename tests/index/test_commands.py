"""Commands on an index that nobody follows any more: they answer, and say that it is late."""

import json
import os
from pathlib import Path

import pytest

from streams.index.database import FILE_NAME
from streams.settings_checks import variable
from tests.cli.conftest import clean_environment
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS
from tests.support import processes

__all__ = ["clean_environment"]
LATE = "is `byline index --follow` running?"


@pytest.mark.parametrize(
    "words",
    [
        ("worklist", "unconfirmed"),
        ("worklist", "unacknowledged"),
        ("funnel", "--from", "2023-01-01T00:00:00Z"),
        ("events", "--account", "weibo:a3"),
        ("policy", "history"),
        ("shadow", "report"),
        ("dead-letters", "list"),
        ("statement", "weibo:a2", "--lang", "en"),
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_a_late_index_answers_and_says_so(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "byline").mkdir()
    filled(tmp_path / "byline", RECORDINGS["clean"](), FILE_NAME).dispose()
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    told = processes.run(words, os.environ)
    assert told.returncode == 0, told.stderr
    assert LATE in told.stdout + told.stderr
    plain = processes.run((*words, "--json"), os.environ)
    assert plain.returncode == 0, plain.stderr
    lines = plain.stdout.splitlines() if words[0] == "events" else [plain.stdout]
    assert [json.loads(it) for it in lines]
    if words[0] == "worklist":
        assert LATE in plain.stderr
