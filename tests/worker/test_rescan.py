"""A lower floor, or new labels, need what was not kept: stated first, then read again."""

from collections.abc import Callable

import pytest

from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka


def test_a_lower_floor_is_refused_until_it_is_stated_and_then_finds_everybody(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo", (1_000_000,))}, partitions=2).start(1)
    seen = {"platform": "weibo", "observed_at": utc_now()}
    for number in range(3):
        account = {**seen, "account_id": f"a{number}"}
        estate.put("category-changes", {**account, "category": "财经"})
    estate.put("category-changes", {**seen, "account_id": "a3", "category": "法律"})
    estate.drain()
    for number, followers in enumerate((2_000_000, 600_000, 400_000, 700_000)):
        estate.put("follower-counts", {**seen, "account_id": f"a{number}", "followers": followers})
    estate.drain()
    assert set(estate.events()) == {"weibo:a0"}
    worker = estate.workers[0]
    assert worker.stop() == 0

    labels = {"财经": "finance", "法律": "law"}
    lower = policy("weibo", (1_000_000, 500_000), labels).replace("version: 1", "version: 2")
    (estate.policies / "weibo.yaml").write_text(lower, encoding="utf-8")
    worker.start()
    assert worker.process is not None
    assert worker.process.wait(60) == 2
    assert "byline worker --rescan weibo" in worker.log.read_text()

    worker.environment["BYLINE_RESCAN"] = "weibo"
    worker.start()
    estate.wait_ready()
    estate.drain()
    estate.wait_for(3)
    assert set(estate.events()) == {"weibo:a0", "weibo:a1", "weibo:a3"}
    assert [len(own) for own in estate.events().values()] == [1, 1, 1]
    worker.kill()
    worker.start()
    estate.wait_ready()
    estate.drain()
    assert sum(map(len, estate.events().values())) == 3
