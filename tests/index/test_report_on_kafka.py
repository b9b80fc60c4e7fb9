"""A report's figures on a real worker's topics equal a count by a script that is not Byline's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.operate.conftest import policies, worker
from tests.operate.lives import lives, now

__all__ = ["byline", "clean_environment", "lives", "on_kafka", "policies", "worker"]
pytestmark = pytest.mark.kafka
SCRIPT = Path(__file__).with_name("counted.py")
START = "2020-01-01T00:00:00+00:00"


def ordered(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(it, sort_keys=True) for it in lines)


def test_the_report_equals_a_count_over_the_topics_by_an_independent_script(
    lives: Settings, byline: Byline, tmp_path: Path
) -> None:
    nonsense = tmp_path / "appeals.jsonl"
    words = [
        {"command": command, "control_id": f"{command}-{account}", "account_id": account}
        for account in ("a20", "a21", "a22")
        for command in ("appeal_opened", "appeal_upheld")[: 1 + (account != "a22")]
    ]
    more = {"platform": "weibo", "actor": "op", "reason": "test", "issued_at": now()}
    nonsense.write_text("\n".join(json.dumps({**more, **it}) for it in words))
    assert byline("send", "controls", str(nonsense)).code == 0
    middle = now()
    assert byline("index").code == 0
    source = SCRIPT.read_text()
    assert not [it for it in ("import streams", "from streams", "schemas") if it in source]
    lines = byline("events", "--json").out.splitlines()
    for end in (middle, json.loads(lines[len(lines) // 2])["decided_at"]):
        told = json.loads(byline("report", "--from", START, "--to", end, "--as", "json").out)
        where = (lives.kafka_bootstrap_servers, lives.topic_prefix)
        script = [sys.executable, str(SCRIPT), *where, START, end]
        done = subprocess.run(script, capture_output=True, text=True, check=True)
        counted = json.loads(done.stdout)
        for name in ("events", "appeals", "medians", "refused"):
            assert ordered(told[name]) == ordered(counted[name]), (name, end)
        assert sum(it["count"] for it in told["events"]) >= 30
