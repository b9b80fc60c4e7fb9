"""Readings of a real Kafka: recorded once, gone on with, held to their digests, removed."""

import json
import stat
import time
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.cli.conftest import Byline, on_kafka
from tests.core.given import DAY, HOUR, rfc3339
from tests.index.poured import topics

__all__ = ["on_kafka"]
pytestmark = pytest.mark.kafka
WEIBO = str(Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml")

BEGAN = int(time.time() * 1000) - 5 * DAY
"""Kafka says that records enter now: facts of long ago would be stale."""


def _send(byline: Byline, tmp_path: Path, topic: str, *values: dict) -> None:
    file = tmp_path / "send.jsonl"
    file.write_text("".join(json.dumps({"platform": "weibo", **it}) + "\n" for it in values))
    answer = byline("send", topic, str(file))
    assert answer.code == 0, answer.err


def _reading(account: str, followers: int, at: int) -> dict:
    return {"account_id": account, "followers": followers, "observed_at": rfc3339(BEGAN + at)}


def _backtest(byline: Byline) -> tuple[dict, int]:
    """The report, and how many accounts were invited."""
    answer = byline("backtest", WEIBO, "--readings", "kafka", "--labels", "kafka", "--json", "-")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    return found, found["policies"][0]["stages"]["invitation.issued"]


def test_a_topic_is_recorded_once_and_the_next_run_goes_on_where_it_ended(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    topics(on_kafka)
    label = {"category": "财经", "observed_at": rfc3339(BEGAN)}
    labels = [{"account_id": account, **label} for account in ("a1", "a2", "a3")]
    _send(byline, tmp_path, "category-changes", *labels)
    low = [_reading(f"low{number}", 10, HOUR) for number in range(20)]
    _send(byline, tmp_path, "follower-counts", _reading("a1", 2_000_000, HOUR), *low)
    first, invited = _backtest(byline)
    assert invited == 1
    assert (first["carried"]["readings"], first["carried"]["accounts_that_matter"]) == (21, 1)

    cache = on_kafka.data_dir / "backtest" / "cache"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    (manifest,) = cache.glob("*follower-counts*/manifest.json")
    files = json.loads(manifest.read_text())["files"]
    assert [it["rows"] for it in files] == [21]
    assert _backtest(byline)[0] == first, "nothing new, nothing recorded, the same report"
    assert json.loads(manifest.read_text())["files"] == files

    # What a recording that was killed has left does not count, and goes.
    (manifest.parent / ".half-written").write_text("x")
    _send(byline, tmp_path, "follower-counts", _reading("a2", 600_000, 2 * DAY))
    second, invited = _backtest(byline)
    assert invited == 2
    assert second["carried"]["readings"] == 22
    assert [it["rows"] for it in json.loads(manifest.read_text())["files"]] == [21, 1]
    assert not (manifest.parent / ".half-written").exists()
    listed = byline("backtest", "cache", "list")
    assert f"{on_kafka.topic_prefix}follower-counts" in listed.out
    assert "2 topics in the cache" in listed.out


def test_a_cache_that_is_not_what_was_recorded_is_refused_until_it_is_cleared(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    topics(on_kafka)
    words = ("backtest", WEIBO, "--readings", "kafka")
    empty = byline(*words)
    assert (empty.code, "holds no record that can be read yet" in empty.err) == (2, True)
    _send(byline, tmp_path, "follower-counts", _reading("a1", 2_000_000, HOUR))
    assert byline(*words).code == 0
    cache = on_kafka.data_dir / "backtest" / "cache"
    (part,) = cache.glob("*/*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + b"x")
    refused = byline(*words)
    assert (refused.code, "is not what was recorded" in refused.err) == (2, True)
    part.write_bytes(whole)
    manifest = part.with_name("manifest.json")
    plain = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(plain | {"topic_id": "another"}))
    anew = byline(*words)
    assert (anew.code, "was made anew since it was recorded" in anew.err) == (2, True)
    assert "1 topics removed" in byline("backtest", "cache", "clear").out
    assert not cache.exists()
    assert byline(*words).code == 0
