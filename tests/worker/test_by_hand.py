"""What a person does first: workers beside one's own Kafka, `byline send`, a look at the topics."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.commands import audited, byline
from tests.worker.harness import ROOT, Estate, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka
ZHIHU = ROOT / "tests" / "policies" / "zhihu.yaml"


def line(**value: object) -> str:
    """A JSON line of weibo's account a1."""
    return json.dumps({"platform": "weibo", "account_id": "a1", **value}) + "\n"


@pytest.mark.alone
def test_a_crossing_sent_by_hand_invites_within_a_second(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}).start(2)
    label = line(category="财经", observed_at=utc_now())
    assert byline(estate, "send", "category-changes", text=label).returncode == 0
    estate.drain()
    reading = line(followers=1_000_000, observed_at=utc_now())
    sent = byline(estate, "send", "follower-counts", text=reading)
    assert sent.returncode == 0, sent.stderr
    produced = [
        message for message in estate.read(["follower-counts"]) if message.key == b"weibo:a1"
    ]
    assert len(produced) == 1
    events = estate.wait_for(1)["weibo:a1"]
    assert events[0]["event"] == "invitation.issued"
    assert events[0]["line"] == 1_000_000

    estate.put("category-changes", {**json.loads(label), "account_id": "b1"})
    estate.drain()
    with estate.follow("invitations") as next_record:
        started = time.monotonic()
        estate.put("follower-counts", {**json.loads(reading), "account_id": "b1"})
        estate.flush()
        record = next_record(5.0)
        seconds = time.monotonic() - started
    assert record is not None
    assert record.json["account_id"] == "b1"
    assert seconds < 1.0, f"visible to a read_committed consumer after {seconds:.3f} s"
    assert audited(estate) == []


def test_an_eighth_platform_is_one_file(make_estate: Callable[..., Estate]) -> None:
    text = ZHIHU.read_text(encoding="utf-8")
    estate = make_estate({"zhihu": text.replace("dwell: PT24H", "dwell: PT0S")}).start(1)
    value = {"platform": "zhihu", "account_id": "z1", "observed_at": utc_now()}
    estate.put("category-changes", {**value, "category": "财经"})
    estate.drain()
    estate.put("follower-counts", {**value, "followers": 500_000})
    events = estate.wait_for(2)["zhihu:z1"]
    assert [event["event"] for event in events] == ["invitation.issued", "invitation.delivered"]
    assert {event["mode"] for event in events} == {"shadow"}
    assert [record.topic for record in estate.read()] == ["shadow.invitations"] * 2
    other = {**value, "platform": "weibo", "followers": 500_000}
    estate.put("follower-counts", other)
    estate.drain()
    letters = [record.json["reason"] for record in estate.read(["dead-letters"])]
    assert letters == ["unknown_platform"]
    assert audited(estate) == []


def test_every_page_of_a_worker_answers(make_estate: Callable[..., Estate]) -> None:
    estate = make_estate({"weibo": policy("weibo")}).start(1)
    worker = estate.workers[0]
    assert worker.page("/healthz")[0] == 200
    status, text = worker.page("/readyz")
    assert status == 200
    assert {part["state"] for part in json.loads(text)["partitions"]} == {"running"}
    estate.put("follower-counts", {"platform": "weibo", "account_id": "a", "followers": 1})
    estate.drain()
    metrics = worker.page("/metrics")[1]
    letters = 'byline_dead_letters_total{reason="missing_field",topic="follower-counts"} 1.0'
    assert letters in metrics
    assert worker.stop() == 0


def test_a_worker_goes_on_however_much_is_refused_and_its_guard_trips_and_says_so(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, partitions=1).start(1)
    for number in range(300):
        estate.put_raw("notice-receipts", f"weibo:a{number}", b"{]")
    estate.flush()
    estate.drain()
    worker = estate.workers[0]
    assert len(estate.read(["dead-letters"])) == 300
    (tripped,) = [record.json for record in estate.read(["switches"])]
    assert (tripped["scope"], tripped["switch"]) == ("weibo", "refusals_settled")
    assert (tripped["on"], tripped["actor"]) == (False, "byline")
    assert 'byline_refusal_guard_tripped{platform="weibo"} 1.0' in worker.page("/metrics")[1]
    assert worker.stop() == 0
    assert "refusal guard of weibo tripped: not_json refused in notice-receipts" in (
        worker.log.read_text()
    )


def test_two_workers_with_different_policies_never_take_turns(
    make_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    estate = make_estate({"weibo": policy("weibo").replace("version: 1", "version: 2")}).start(1)
    estate.put(
        "category-changes",
        {"platform": "weibo", "account_id": "a", "category": "财经", "observed_at": utc_now()},
    )
    estate.drain()
    assert estate.workers[0].stop() == 0
    (estate.policies / "weibo.yaml").write_text(policy("weibo"), encoding="utf-8")
    worker = estate.workers[0].start()
    assert worker.process is not None
    assert worker.process.wait(60) == 2
    assert "already works under version 2 of the policy for weibo" in worker.log.read_text()


def test_a_policy_that_does_not_load_is_told_whole(make_estate: Callable[..., Estate]) -> None:
    bad = policy("weibo").replace("dwell: PT0S", "dwell: soon").replace("tips:", "tipps:")
    estate = make_estate({"weibo": bad})
    ended = byline(estate, "worker")
    assert ended.returncode == 2
    assert "weibo.yaml:" in ended.stderr
    assert "soon" in ended.stderr
    assert "tipps" in ended.stderr


def test_a_rescan_of_nobody_is_refused_with_the_name_that_was_meant(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")})
    ended = byline(estate, "worker", "--rescan", "weibbo")
    assert ended.returncode == 2
    assert "there is no policy of 'weibbo'; did you mean weibo?" in ended.stderr


def test_missing_topics_are_one_line_and_the_command_that_mends_it(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")})
    estate.more_settings["BYLINE_TOPIC_PREFIX"] = "nowhere."
    estate.more_settings["BYLINE_START_TIMEOUT_SECONDS"] = "3"
    ended = byline(estate, "worker")
    assert ended.returncode == 2
    assert "byline topics create" in ended.stderr


def test_no_broker_is_told_and_given_up_after_the_set_time(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")})
    estate.more_settings["BYLINE_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    estate.more_settings["BYLINE_START_TIMEOUT_SECONDS"] = "3"
    ended = byline(estate, "worker")
    assert ended.returncode == 70
    assert "127.0.0.1:1" in ended.stderr
