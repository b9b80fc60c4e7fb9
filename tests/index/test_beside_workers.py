"""The questions of a night on call, asked of a real worker's topics, by the commands."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.commands import byline
from tests.worker.conftest import make_estate
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

__all__ = ["make_estate"]
pytestmark = pytest.mark.kafka
SAID = ("--actor", "op.1", "--reason", "incident")


def asked(estate: Estate, *words: str, code: int = 0) -> Any:
    done = byline(estate, *words, "--json")
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_what_a_night_on_call_asks_has_an_answer(make_estate: Callable[..., Estate]) -> None:
    estate = make_estate({"weibo": policy("weibo", window="PT2S")}).start(1)
    estate.environment.setdefault("BYLINE_DATA_DIR", str(estate.folder / "index"))
    for name in ("a1", "a2"):
        value = {"platform": "weibo", "account_id": name, "observed_at": utc_now()}
        estate.put("category-changes", {**value, "category": "财经"})
        estate.flush()
        estate.put("follower-counts", {**value, "followers": 1_000_000})
    issued = estate.wait_for(2)
    for key, (event,) in issued.items():
        estate.put(
            "notice-receipts",
            {
                "platform": "weibo",
                "account_id": key.partition(":")[2],
                "invitation_id": event["invitation_id"],
                "outcome": "delivered",
                "occurred_at": utc_now(),
            },
        )
    estate.wait_for(10)
    estate.put("consent-answers", {"platform": "weibo", "account_id": "a1"})
    estate.drain()

    without = byline(estate, "funnel")
    assert without.returncode == 2
    assert "`byline index` makes it" in without.stderr
    assert "there is no whole index" in byline(estate, "status").stdout
    unclear = asked(estate, "worklist", "unclear")

    assert byline(estate, "index").returncode == 0
    status = asked(estate, "status")
    assert status["workers"]["group"] == "Stable"
    assert [it["behind"] for it in status["workers"]["partitions"]] == [0, 0, 0, 0]
    assert status["running"][0]["on_disk"] == "same"
    assert status["blocked"] == []
    assert status["refused_in_a_day"][0]["topic"] == "consent-answers"
    assert status["waiting_for_people"]["unclear"] == 1
    (line,) = asked(estate, "funnel")["lines"]
    found = {name: line[name] for name in ("eligible", "invited", "delivered", "restricted")}
    assert found == {"eligible": 2, "invited": 2, "delivered": 2, "restricted": 2}
    (rolled,) = asked(estate, "rollout", "status")["platforms"]
    assert rolled["why"] == ["version 1 is the only one that was ever in force"]
    (shadow,) = asked(estate, "shadow", "report", "--platform", "weibo")["platforms"]
    assert shadow["sentence"] == "Nothing of weibo is in shadow: there is nothing to switch."
    assert shadow["said"]["live"]["restricted"] == 2
    assert asked(estate, "worklist", "unclear") == unclear != []
    assert asked(estate, "worklist", "unclear", "--platform", "douyin") == []
    assert asked(estate, "worklist", "unacknowledged") == []
    assert "from the index as of" in byline(estate, "worklist", "pending").stdout

    assert byline(estate, "switch", "adverse-off", "on", "--scope", "weibo", *SAID).returncode == 0
    estate.drain()
    assert byline(estate, "index").returncode == 0
    (holding,) = asked(estate, "status")["holding"]
    assert (holding["what"], holding["scope"], holding["partitions"]) == ("adverse_off", "weibo", 4)
    explained = byline(estate, "explain", "weibo:a1")
    assert "a restriction begins, recommend-feed" in explained.stdout
    assert "ground" not in explained.stdout
    assert "byline control settle weibo:a1" in explained.stdout

    (worker,) = estate.workers
    assert worker.stop() == 0
    time.sleep(1)
    page = byline(estate, "status")
    assert page.returncode == 1
    assert "Partitions without a worker" in page.stdout
