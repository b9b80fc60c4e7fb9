"""The command beside a real Kafka and a worker: an order from a browser to its effect and back."""

import re
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.console.given import digest, guard
from tests.operate.conftest import until
from tests.support import processes
from tests.worker.commands import byline
from tests.worker.conftest import make_estate
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

__all__ = ["make_estate"]
pytestmark = pytest.mark.kafka


def restricted(estate: Estate) -> None:
    """An owner who said nothing within two seconds."""
    value = {"platform": "weibo", "account_id": "a1", "observed_at": utc_now()}
    estate.put("category-changes", {**value, "category": "财经"})
    estate.flush()
    estate.put("follower-counts", {**value, "followers": 1_000_000})
    ((_, (event,)),) = estate.wait_for(1).items()
    said = {"platform": "weibo", "account_id": "a1", "invitation_id": event["invitation_id"]}
    estate.put("notice-receipts", {**said, "outcome": "delivered", "occurred_at": utc_now()})
    estate.wait_for(5)
    estate.drain()


def pressed(browser: Any, path: str, button: str) -> Any:
    page = browser.get(path)
    return browser.post(f"{path}/{button}", data={"guard": guard(page)})


def test_an_order_from_a_browser_reaches_the_workers_and_comes_back(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo", window="PT2S")}).start(1)
    environment = estate.environment
    environment.setdefault("BYLINE_DATA_DIR", str(estate.folder / "index"))
    restricted(estate)
    roles = estate.folder / "roles"
    roles.write_text(f"{digest('x')} desk.1 operator\n")
    environment["BYLINE_ROLES_FILE"] = str(roles)
    assert byline(estate, "index").returncode == 0
    log = estate.folder / "console.log"
    process = processes.start(["console", "--port", "0"], environment, log)
    at = re.compile(r"open (http://127\.0\.0\.1:\d+)/")
    where = until(lambda: at.search(log.read_text()), 60, "it serves")[1]
    with httpx2.Client(base_url=where, timeout=60) as browser:
        form = {"guard": guard(browser.get("/sign-in")), "token": "x"}
        assert browser.post("/sign-in", data=form).status_code == 303
        assert "recommend-feed" in browser.get("/accounts/weibo:a1").text
        for what, form in (
            ("controls", {"command": "lift", "account": "weibo:a1"}),
            ("switches", {"switch": "invitations_off", "scope": "weibo", "on": "on"}),
        ):
            form |= {"guard": guard(browser.get(f"/actions/{what}")), "reason": "owner_request"}
            path = browser.post(f"/actions/{what}", data=form).headers["location"]
            assert "1 accounts, 1 known to the workers" in browser.get(path).text
            assert pressed(browser, path, "send").status_code == 303
            estate.drain()
            time.sleep(1)
            assert byline(estate, "index").returncode == 0
            assert "All partitions have read it" in browser.get(path).text
        page = browser.get("/accounts/weibo:a1").text
        assert "throttle.lifted" in page or "freed" in page
        assert "controls: lift, by desk.1" in page
        assert "invitations_off" in browser.get("/").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
