"""A guard of a real worker: bounced notices stop one platform by themselves, until it is quiet."""

import re
import time
from collections.abc import Callable

import pytest

from tests.worker.commands import audited
from tests.worker.crowd import Crowd, instant
from tests.worker.harness import Estate, Worker
from tests.worker.log import ADVERSE, LoggedTransaction, transactions
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WINDOW_SECONDS = 40
GUARDS = f"window: PT{WINDOW_SECONDS}S, minimum: 6, undelivered_ratio: 0.4"
PLATFORMS = ("douyin", "weibo")


def closed_seconds(worker: Worker) -> dict[str, float]:
    """The gauge by platform."""
    found = re.findall(
        r'^byline_guard_tripped_seconds\{platform="(\w+)"\} (\S+)$',
        worker.page("/metrics")[1],
        re.MULTILINE,
    )
    return {platform: float(seconds) for platform, seconds in found}


def test_bounced_notices_close_one_platform_over_a_restart_until_a_quiet_window_has_passed(
    make_estate: Callable[..., Estate],
) -> None:
    rules = {platform: policy(platform, guards=GUARDS) for platform in PLATFORMS}
    estate = make_estate(rules, partitions=2).start(1)
    (worker,) = estate.workers
    weibo, douyin = Crowd(estate, "weibo"), Crowd(estate, "douyin")
    assert closed_seconds(worker) == {"douyin": 0.0, "weibo": 0.0}
    with estate.follow("invitations") as next_record:
        for _ in range(16):
            weibo.crosses()
        bounced, waited = 0, False
        while bounced < 16:
            if len(weibo.issued) == 15 and not waited:
                time.sleep(3)  # so that one partition opens later than the other
                waited = True
            event = weibo.hears(next_record(10.0), outcome="failed")
            assert event is not None, f"{bounced} have bounced"
            bounced += event["event"] == "invitation.undeliverable"
    shown, shown_at = closed_seconds(worker), time.time()
    assert 0 < shown["weibo"] <= WINDOW_SECONDS
    assert shown["douyin"] == 0.0

    for crowd in (weibo, douyin):
        for _ in range(6):
            crowd.crosses()
    weibo.answers("a0", "granted")
    estate.drain()
    events = estate.events()
    assert [event["event"] for event in events["weibo:a0"]][2:] == [
        "invitation.delivered",
        "consent.granted",
    ]
    assert len([key for key in events if key.startswith("douyin:")]) == 6, "another platform"
    waiting = [f"weibo:a{number}" for number in range(16, 22)]
    assert not events.keys() & set(waiting)

    worker.kill()
    worker.start()
    estate.wait_ready()
    assert 0 < closed_seconds(worker)["weibo"] < shown["weibo"], "it survives a restart"
    assert not estate.events().keys() & set(waiting)
    told = sum(map(len, estate.events().values()))
    time.sleep(closed_seconds(worker)["weibo"])
    assert set(waiting) <= estate.wait_for(told + len(waiting)).keys()
    assert closed_seconds(worker) == {"douyin": 0.0, "weibo": 0.0}
    opened = [waited_for_a_quiet_window(known) for known in transactions(estate).values()]
    assert max(opened) - min(opened) > 2.5
    assert shown["weibo"] == pytest.approx(max(opened) - shown_at, abs=1), "the longest is shown"
    assert audited(estate) == []


def waited_for_a_quiet_window(known: list[LoggedTransaction]) -> float:
    """Nothing adverse on the platform within a window of the last bounce, and then everything.

    When the partition's guard opened.
    """
    events = [event for one in known for event in one.events() if event["key"][:6] == "weibo:"]
    bounces = [it["decided_at"] for it in events if it["event"] == "invitation.undeliverable"]
    last = instant(max(bounces))
    adverse = [instant(it["decided_at"]) for it in events if it["event"] in ADVERSE]
    after = [at - last for at in adverse if at > last]
    assert after, "somebody waited in this partition"
    assert min(after) >= WINDOW_SECONDS
    return last + WINDOW_SECONDS
