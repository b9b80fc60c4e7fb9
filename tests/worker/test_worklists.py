"""What a running worker knows stands on the work-lists, and what is wrong with topics stops it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from streams.kafka.configs import set_topic_configs
from streams.operate.clients import admin_client
from streams.operate.topics import check
from streams.settings import Settings
from tests.worker.commands import byline
from tests.worker.examples import until
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka
SAID = ("--actor", "op.1", "--reason", "owner_request")


def listed(estate: Estate, which: str) -> list[dict[str, Any]]:
    """The rows of a list, as a program reads them."""
    done = byline(estate, "worklist", which, "--json")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_who_waits_for_a_person_is_listed_as_the_worker_knows_it(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, BYLINE_UNCONFIRMED_AFTER="PT1S").start(1)
    value = {"platform": "weibo", "account_id": "a1", "observed_at": utc_now()}
    estate.put("category-changes", {**value, "category": "财经"})
    estate.drain()
    estate.put("follower-counts", {**value, "followers": 1_000_000})
    (issued,) = estate.wait_for(1)["weibo:a1"]
    estate.put("consent-answers", {"platform": "weibo", "account_id": "a1"})
    estate.drain()
    (unclear,) = listed(estate, "unclear")
    assert (unclear["account"], unclear["reason"]) == ("weibo:a1", "consent-answers")
    # It is listed a second after the invitation, when the worker next looks at the clock.
    until(lambda: listed(estate, "unconfirmed") != [], "listed as unconfirmed")
    (unconfirmed,) = listed(estate, "unconfirmed")
    assert unconfirmed["invitation_id"] == issued["invitation_id"]
    counted = 'byline_unconfirmed_invitations{platform="weibo"} 1.0'
    until(lambda: counted in estate.workers[0].page("/metrics")[1], "counted as unconfirmed")
    for word in ("settle", "appeal_opened"):
        assert byline(estate, "control", word, "weibo:a1", *SAID).returncode == 0
    estate.drain()
    assert listed(estate, "unclear") == []
    assert [it["account"] for it in listed(estate, "appeals")] == ["weibo:a1"]


async def with_producers_times(settings: Settings) -> None:
    """The switches as version 0.1.0 made them."""
    async with admin_client(settings) as client:
        wrong = {f"{settings.topic_prefix}switches": {"message.timestamp.type": "CreateTime"}}
        assert await set_topic_configs(client, wrong) == {}
    while not await check(settings):
        await asyncio.sleep(0.1)


def test_a_worker_says_what_to_run_when_an_input_carries_its_producers_time(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}).start(1)
    (worker,) = estate.workers
    assert worker.stop() == 0
    settings = Settings(
        kafka_bootstrap_servers=estate.bootstrap,
        topic_prefix=estate.names.prefix,
        application_id=estate.names.application_id,
    )
    asyncio.run(with_producers_times(settings))
    process = worker.start().process
    assert process is not None
    assert process.wait(90) == 2
    assert "`byline topics apply` sets" in worker.log.read_text().replace("\n", " ")
    assert byline(estate, "topics", "apply").returncode == 0
    shared = policy("weibo").replace("version: 1\n", "version: 2\n").replace("n-1", "n-2")
    (estate.policies / "weibo.yaml").write_text(shared, encoding="utf-8")
    process = worker.start().process
    assert process is not None
    assert process.wait(90) == 2, "a notice with the version of another one"
    assert "the notice n-2 of weibo has version '1'" in worker.log.read_text().replace("\n", " ")
