"""Readings of a real Kafka: recorded once, gone on with, held to their digests, removed."""

import asyncio
import json
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from streams.backtest import cache as caching
from streams.backtest import recording
from streams.backtest.cache import Cache, Manifest, read_manifest
from streams.backtest.run import Asked
from streams.cli.backtest_source import recorded
from streams.operate.clients import consumer
from streams.processor import partitioner
from streams.settings import Settings
from tests.cli.conftest import Byline, on_kafka
from tests.core.given import DAY, HOUR, rfc3339
from tests.index.poured import PARTITIONS, topics

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
    assert [it.name for it in cache.iterdir()] == ["lock"]
    assert byline(*words).code == 0


# ---- what a recording says, without the backtest -----------------------------------------------


class RecordedReadings(NamedTuple):
    """A recording of the readings: what it says, its manifest, and the progress it told."""

    found: Asked
    manifest: Manifest
    told: list[tuple[str, int, int]]


def _recorded(
    settings: Settings, start: int | None = None, end: int | None = None
) -> RecordedReadings:
    told: list[tuple[str, int, int]] = []
    asked = Asked([], "kafka", start=start, end=end)
    with recorded(asked, lambda *it: told.append(it)) as found:
        (path,) = (settings.data_dir / "backtest" / "cache").glob("*follower-counts*/manifest.json")
        return RecordedReadings(found, read_manifest(path), told)


def _topic(settings: Settings) -> str:
    return f"{settings.topic_prefix}follower-counts"


def _account(partition: int, number: int = 0) -> str:
    """An account whose key lies in a partition."""
    home = partitioner(PARTITIONS)
    names = (f"a{it}" for it in range(200))
    return [it for it in names if home(f"weibo:{it}".encode()) == partition][number]


def _produce(
    settings: Settings,
    accounts: Iterable[str],
    *,
    partition: int | None = None,
    key: str | None = None,
    transaction: str | None = None,
    gives_up: bool = False,
) -> None:
    """One reading of each account. `transaction`: its id; it is committed unless it `gives_up`."""
    options = {"bootstrap.servers": settings.kafka_bootstrap_servers, "log_level": 0}
    producer = Producer(options | ({"transactional.id": transaction} if transaction else {}))
    if transaction:
        producer.init_transactions(30)
        producer.begin_transaction()
    home = partitioner(PARTITIONS)
    for account in accounts:
        value = json.dumps({"platform": "weibo", **_reading(account, 600_000, HOUR)})
        place = home(f"weibo:{account}".encode()) if partition is None else partition
        producer.produce(_topic(settings), value, key or f"weibo:{account}", place)
    assert producer.flush(30) == 0
    if transaction:
        (producer.abort_transaction if gives_up else producer.commit_transaction)(30)


def test_no_other_command_takes_a_cache_that_is_recorded_or_read(
    on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "PATIENCE_SECONDS", 0.2)
    topics(on_kafka)
    _produce(on_kafka, [_account(0)])
    words = ("backtest", WEIBO, "--readings", "kafka")
    with recorded(Asked([], "kafka"), lambda *it: None) as found:
        for other in (words, ("backtest", "cache", "clear")):
            refused = byline(*other)
            assert (refused.code, "uses the cache of backtests" in refused.err) == (2, True)
        assert Path(found.readings).parent.is_dir()
    assert byline(*words).code == 0
    assert byline("backtest", "cache", "clear").code == 0


def test_records_that_a_worker_refuses_are_counted_by_reason_and_given_to_nobody(
    on_kafka: Settings, byline: Byline
) -> None:
    topics(on_kafka)
    mine, other = _account(0), _account(1)
    _produce(on_kafka, [mine, other])
    _produce(on_kafka, [other, _account(1, 1)], partition=0)
    _produce(on_kafka, [mine], key=f"weibo:{other}")
    for _ in range(2):
        run = _recorded(on_kafka)
        refused = {"wrong_partition": 2, "key_mismatch": 1}
        assert run.found.refused_before == refused
        assert run.manifest.rows == 2
        assert run.found.notes == []
    listed = byline("backtest", "cache", "list").out
    assert "refused as by a worker: 2 wrong_partition, 1 key_mismatch" in listed
    answer = byline("backtest", WEIBO, "--readings", "kafka", "--json", "-")
    assert json.loads(answer.out)["carried"]["readings"] == 2


async def test_partitions_that_no_worker_reads_are_the_wrong_ones(
    on_kafka: Settings, tmp_path: Path
) -> None:
    await asyncio.to_thread(topics, on_kafka)
    _produce(on_kafka, [_account(0), _account(1)])
    for in_use, refused in ((None, {}), (1, {"wrong_partition": 1})):
        cache = Cache(tmp_path / str(in_use))
        async with consumer(on_kafka) as client:
            place = await recording.record(
                client,
                _topic(on_kafka),
                "follower-counts",
                cache,
                lambda *it: None,
                partitions_in_use=in_use,
            )
        assert read_manifest(place / "manifest.json").left_out == refused


def test_a_topic_whose_records_are_all_refused_says_why(on_kafka: Settings, byline: Byline) -> None:
    topics(on_kafka)
    _produce(on_kafka, [_account(1)], partition=0)
    answer = byline("backtest", WEIBO, "--readings", "kafka")
    assert answer.code == 2
    assert "no record that can be read yet (refused: 1 wrong_partition)" in answer.err


def test_progress_ends_at_its_total_and_counts_this_run_alone(on_kafka: Settings) -> None:
    topics(on_kafka)
    for number in range(3):
        _produce(on_kafka, [_account(0)] * 5, transaction=f"{on_kafka.application_id}-{number}")
    first = _recorded(on_kafka)
    assert first.manifest.rows == 15
    assert first.told[0] == (f"records {_topic(on_kafka)}", 0, 18)
    assert first.told[-1][1:] == (18, 18)
    _produce(on_kafka, [_account(1)] * 2)
    assert _recorded(on_kafka).told[-1][1:] == (2, 2)


def _set(settings: Settings, **values: str) -> None:
    """Sets settings of the readings' topic; an underscore stands for a full stop."""
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    kind = ConfigResource.Type.TOPIC
    resource = ConfigResource(kind, _topic(settings), incremental_configs=entries)
    client.incremental_alter_configs([resource])[resource].result(20)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        asked = ConfigResource(kind, _topic(settings))
        found = client.describe_configs([asked])[asked].result(20)
        if all(found[it.name].value == it.value for it in entries):
            return
        time.sleep(0.1)
    raise AssertionError("the broker does not show the new settings")


def _with_holes(settings: Settings) -> None:
    """Seven readings in partition 0, two ends of transactions, and one that was given up, of 10."""
    for number in range(2):
        identity = f"{settings.application_id}-{number}"
        _produce(settings, [_account(0)] * 3, transaction=identity)
    _produce(settings, [_account(0)] * 10, transaction=settings.application_id, gives_up=True)
    _produce(settings, [_account(0)])


@pytest.mark.parametrize(
    ("values", "missing", "says"),
    [
        # Compacted, but nothing is old enough for it.
        ({"cleanup_policy": "compact"}, 0, None),
        ({"min_compaction_lag_ms": "0"}, 13, "is compacted (cleanup.policy): up to 13 records"),
        ({"cleanup_policy": "delete"}, 12, "holds no record at 12 offsets: a producer gave up"),
    ],
)
def test_holes_are_counted_and_said_where_compaction_may_be_the_reason(
    on_kafka: Settings, values: dict[str, str], missing: int, says: str | None
) -> None:
    topics(on_kafka)
    _set(on_kafka, **values)
    _with_holes(on_kafka)
    run = _recorded(on_kafka)
    assert (run.manifest.rows, run.manifest.missing) == (7, missing)
    assert [says in it for it in run.found.notes] == [True] * (says is not None)
    assert _recorded(on_kafka).manifest == run.manifest


def _delete_before(settings: Settings, offset: int) -> None:
    """Deletes the readings of partition 0 before an offset, once the broker knows that it may."""
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    gone = TopicPartition(_topic(settings), 0, offset)
    deadline = time.monotonic() + 20
    while True:
        try:
            client.delete_records([gone])[gone].result(20)
            return
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_what_kafka_deleted_between_two_runs_is_counted_and_said(on_kafka: Settings) -> None:
    topics(on_kafka)
    _set(on_kafka, cleanup_policy="compact,delete")
    _produce(on_kafka, [_account(0)] * 4)
    assert _recorded(on_kafka).found.notes == []
    _produce(on_kafka, [_account(0)] * 6)
    _delete_before(on_kafka, 9)
    for _ in range(2):
        run = _recorded(on_kafka)
        assert (run.manifest.rows, run.manifest.deleted) == (5, 5)
        (note,) = run.found.notes
        assert "Kafka deleted up to 5 records after one run" in note


def test_from_an_instant_on_only_what_entered_since_is_recorded(
    on_kafka: Settings, byline: Byline
) -> None:
    topics(on_kafka)
    _produce(on_kafka, [_account(0), _account(1)])
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    time.sleep(0.05)
    _produce(on_kafka, [_account(0)] * 3)
    since = _recorded(on_kafka, start=middle)
    assert (since.manifest.rows, since.manifest.begins) == (3, middle)
    assert rfc3339(middle) in byline("backtest", "cache", "list").out
    assert _recorded(on_kafka, start=middle + 10).manifest == since.manifest
    for start in (middle - 60_000, None):
        earlier = _recorded(on_kafka, start=start)
        assert (earlier.manifest.rows, earlier.manifest.begins) == (5, start)
        assert [it.rows for it in earlier.manifest.files] == [5]
    assert _recorded(on_kafka, start=middle).manifest == earlier.manifest


def test_up_to_an_instant_only_what_entered_before_is_recorded_and_the_next_run_goes_on(
    on_kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LATE_MS", 0)
    topics(on_kafka)
    _produce(on_kafka, [_account(0)])
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    time.sleep(0.05)
    _produce(on_kafka, [_account(1)] * 3)
    before = _recorded(on_kafka, end=middle)
    assert (before.manifest.rows, before.manifest.next) == (1, {"0": 1, "1": 0})
    assert before.told[-1][1:] == (1, 1)
    whole = _recorded(on_kafka)
    assert (whole.manifest.rows, whole.manifest.next) == (4, {"0": 1, "1": 3})
    assert [it.rows for it in whole.manifest.files] == [1, 3]
