"""The event loop is chosen by the protocol."""

import asyncio
from pathlib import Path

import pytest

from streams.engine.config import EngineConfig
from streams.engine.faust_app import choose_loop


@pytest.mark.parametrize(
    ("protocol", "module"),
    [("SSL", "asyncio"), ("SASL_SSL", "asyncio"), ("PLAINTEXT", "uvloop"), ("", "uvloop")],
)
def test_over_tls_the_standard_loop_runs_for_closing_on_uvloop_waits_half_a_minute(
    tmp_path: Path, protocol: str, module: str
) -> None:
    security = {"security_protocol": protocol} if protocol else {}
    config = EngineConfig(
        application_id="a", bootstrap_servers="b:1", data_dir=tmp_path, security=security
    )
    before = asyncio.get_event_loop_policy()
    try:
        choose_loop(config)
        loop = asyncio.new_event_loop()
        loop.close()
        assert type(loop).__module__.partition(".")[0] == module
    finally:
        asyncio.set_event_loop_policy(before)
