"""A real worker in shadow, the report, then the same worker in enforce: it does as was said."""

import json
from collections.abc import Callable

import pytest

from tests.worker.commands import byline
from tests.worker.conftest import make_estate
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

__all__ = ["make_estate"]
pytestmark = pytest.mark.kafka
NAMES = ("a1", "a2", "a3")


def test_switching_restricts_whom_the_report_named(make_estate: Callable[..., Estate]) -> None:
    shadow = policy("weibo", mode="shadow", window="PT1S")
    estate = make_estate({"weibo": shadow}).start(1)
    estate.more_settings["BYLINE_DATA_DIR"] = str(estate.folder / "index")
    for name in NAMES:
        value = {"platform": "weibo", "account_id": name, "observed_at": utc_now()}
        estate.put("category-changes", {**value, "category": "财经"})
        estate.flush()
        estate.put("follower-counts", {**value, "followers": 1_000_000})
    # Each is invited, projected as delivered, expires, and is restricted on two surfaces.
    estate.wait_for(15)
    estate.drain()
    assert byline(estate, "index").returncode == 0
    said = byline(estate, "shadow", "report", "--json")
    assert said.returncode == 0, said.stderr
    (report,) = json.loads(said.stdout)["platforms"]
    assert report["policy"] == "file"
    assert report["said"]["surfaces"]["tips"]["shadow"] == {"ever": 3, "at_the_end": 3}
    assert (report["enforce"]["invited"], report["enforce"]["restricted"]) == (3, 3)

    (worker,) = estate.workers
    assert worker.stop() == 0
    live = shadow.replace("version: 1\nmode: shadow", "version: 2\nmode: enforce")
    (estate.policies / "weibo.yaml").write_text(live)
    worker.start()
    estate.wait_ready()
    # Each shadow life is cancelled and its two restrictions lifted, before the live one begins.
    issued = estate.wait_for(15 + 9 + 3)
    events = [it for its in issued.values() for it in its if it["mode"] == "enforce"]
    assert {it["event"] for it in events} == {"invitation.issued"}
    for it in events:
        receipt = {"invitation_id": it["invitation_id"], "outcome": "delivered"}
        about = {"platform": "weibo", "account_id": it["account_id"], "occurred_at": utc_now()}
        estate.put("notice-receipts", {**about, **receipt})
    done = estate.wait_for(27 + 3 * 4)
    applied = [
        (it["account_id"], it["surface"])
        for its in done.values()
        for it in its
        if it["event"] == "throttle.applied" and it["mode"] == "enforce"
    ]
    assert {account for account, _ in applied} == set(NAMES)
    counted = {name: sum(it == name for _, it in applied) for name in report["enforce"]["surfaces"]}
    assert counted == report["enforce"]["surfaces"] == {"recommend-feed": 3, "tips": 3}
