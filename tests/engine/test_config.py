"""Settings of the engine that make no sense are refused."""

from pathlib import Path

import pytest

from streams.engine.config import EngineConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"application_id": ""}, "application_id is empty"),
        ({"bootstrap_servers": ""}, "bootstrap_servers is empty"),
        ({"heartbeat_interval_seconds": 9.0}, "a third of the session time"),
        ({"session_timeout_seconds": 60.0}, "must not exceed request_timeout_seconds"),
        ({"poll_records": 1_000_000}, "at least one poll"),
        ({"commit_records": 0}, "commit_records must be at least 1"),
    ],
)
def test_config_refuses_nonsense(tmp_path: Path, change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "application_id": "a",
        "bootstrap_servers": "b:1",
        "data_dir": tmp_path,
    }
    EngineConfig(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        EngineConfig(**{**good, **change})  # type: ignore[arg-type]
