"""The console on a real PostgreSQL: every page, an order, what is hostile to it."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.console.given import ConsoleGround
from tests.console.matrix import MATRIX
from tests.console.test_access import filled_path
from tests.console.test_actions import HOLD, prepared, pressed
from tests.index.filled import all_of, write
from tests.index.test_postgresql import engine, server
from tests.operate.recording import Tape

__all__ = ["engine", "server"]
pytestmark = pytest.mark.slow


def test_every_page_and_an_order(engine: Engine, tape: Tape, tmp_path: Path) -> None:
    write(engine, all_of(tape))
    ground = ConsoleGround(engine, tape.now, tmp_path)
    auditor, operator = ground.signed_in("auditor"), ground.signed_in("operator")
    for method, path in MATRIX:
        if method == "GET":
            for browser in (auditor, operator):
                answer = browser.get(filled_path(path))
                assert answer.status_code in (200, 403, 404), (path, answer.text)
    for number in range(1, 16):
        assert auditor.get(f"/accounts/weibo:a{number}").status_code == 200
    found = auditor.get("/accounts", params={"q": "a1"}).text
    assert len(re.findall(r'href="/accounts/weibo:a1', found)) == 7
    for hostile in ("\0", "weibo:\0", "%", "_", "'; DROP TABLE events --", "\\"):
        for path, name in (("/accounts", "q"), ("/accesses", "actor"), ("/dead-letters", "topic")):
            assert auditor.get(path, params={name: hostile}).status_code == 200, (path, hostile)
    path = prepared(operator, **HOLD, account="weibo:a4 weibo:a5")
    assert pressed(operator, path, "send").status_code == 303
    assert "0 of 1 partitions" in operator.get(path).text
    assert len(ground.sent) == 2
