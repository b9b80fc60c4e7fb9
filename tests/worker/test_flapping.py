"""Nothing is hidden of an account whose count crosses the line all day, and its log stays small."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conftest import RunningKafka
from tests.worker.commands import audited, byline
from tests.worker.harness import Estate
from tests.worker.policies import policy

CROSSINGS = 3_000
LABELLED_AT = "2024-01-01T00:00:00Z"


def _log_bytes(kafka: RunningKafka, topic: str) -> int:
    """What the partitions of a topic take on the broker's disk."""
    folders: list[Path] = list(Path(kafka.cluster.data_dir).glob(f"broker-*/data/{topic}-*"))
    assert folders
    return sum(segment.stat().st_size for it in folders for segment in it.glob("*.log"))


def test_each_crossing_is_in_the_log_which_takes_less_room_than_the_readings(
    make_estate: Callable[..., Estate], kafka: RunningKafka
) -> None:
    estate = make_estate({"weibo": policy("weibo", dwell="P1D")}, partitions=1).start(1)
    who = {"platform": "weibo", "account_id": "flaps"}
    estate.put("category-changes", {**who, "category": "财经", "observed_at": LABELLED_AT})
    estate.drain()
    began = datetime.now(UTC) - timedelta(seconds=CROSSINGS)
    for number in range(CROSSINGS):
        count, at = 1_000_001 - number % 2 * 2, began + timedelta(seconds=number)
        estate.put("follower-counts", {**who, "followers": count, "observed_at": at.isoformat()})
    estate.drain()
    decisions = [it.json for it in estate.read(["decisions"]) if it.key == b"weibo:flaps"]
    moves = [it["transitions"][0]["to_state"] for it in decisions if it["transitions"]]
    assert moves == ["DWELLING", "OUTSIDE"] * (CROSSINGS // 2)
    assert estate.events() == {}

    log, plain = _log_bytes(kafka, estate.names.prefix + "decisions"), CROSSINGS * 900
    readings = _log_bytes(kafka, estate.names.prefix + "follower-counts")
    print(f"{log / CROSSINGS:.0f} B of log and {readings / CROSSINGS:.0f} B of input a crossing")
    assert log < 0.25 * plain
    assert log < 1.5 * readings
    page = estate.workers[0].page("/metrics")[1]
    assert f'{{platform="weibo",to="OUTSIDE"}} {CROSSINGS // 2}.0' in page

    assert audited(estate) == []
    replayed = byline(estate, "replay", "--json")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    told = json.loads(byline(estate, "explain", "weibo:flaps", "--kafka", "--json").stdout)
    assert len(told["timeline"]) == CROSSINGS
