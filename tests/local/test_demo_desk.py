"""The index and the console that stay after a demo, without the demo: on a recorded day's index."""

import io
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from streams.index.database import FILE_NAME
from streams.local.demo.closing import look_further
from streams.local.demo.desk import DemoDesk
from streams.local.demo.stage import DemoStage, StageError
from tests.index.filled import filled
from tests.local.test_demo import in_a_new_shell, signed_in
from tests.operate.recording import RECORDINGS

NO_KAFKA = {"BYLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.mark.slow
def test_what_is_printed_signs_in_and_the_script_ends_all(tmp_path: Path) -> None:
    stage = DemoStage(keep=True)
    desk = DemoDesk(stage.folder / "desk", {**stage.variables, **NO_KAFKA})
    stage.others = desk.processes
    ended = False
    try:
        desk.prepare()
        (desk.folder / "byline").mkdir()
        filled(desk.folder / "byline", RECORDINGS["clean"](), FILE_NAME).dispose()
        desk.serve()
        kafka: Any = SimpleNamespace(bootstrap="127.0.0.1:1", pid=slow_to_end)
        stage.kafka = kafka
        said = io.StringIO()
        look_further(Console(file=said, width=120, highlight=False), stage, desk, keep=True)
        text = said.getvalue()
        assert desk.api in text
        browse = signed_in(text)
        assert "desk.1" in browse("/accounts/weibo:a5")
        assert "Who looked" in browse("/accesses"), "an auditor, too"
        assert (desk.folder / "roles").read_text().count(desk.token) == 0
        stopped = in_a_new_shell(text.partition("To stop it all:")[2])
        ended = stopped.returncode == 0
        assert ended, stopped.stderr
        assert None not in [it.poll() for it in desk.processes], "they have ended"
        assert not stage.folder.exists()
    finally:
        if not ended:
            stage.kafka = SimpleNamespace(stop=lambda: None)  # type: ignore[assignment]
            stage.stop()


def slow_to_end() -> int:
    """A process that takes a second to end, as Kafka does; the script waits for it."""
    script = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"
    return subprocess.Popen(["sh", "-c", script]).pid


def test_an_index_that_ends_is_told_with_its_last_lines(tmp_path: Path) -> None:
    desk = DemoDesk(tmp_path / "desk", NO_KAFKA)
    with pytest.raises(StageError, match=r"(?s)index ended with exit code 2:\n.*127\.0\.0\.1:1"):
        desk.start()
    assert desk.processes == []
