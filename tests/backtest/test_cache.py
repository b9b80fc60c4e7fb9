"""The cache of Kafka's topics: manifests that cannot be read, commands at once, what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from streams.backtest import cache as caching
from streams.backtest.cache import FORM, MANIFEST, Cache, CachedFile, Manifest, read_manifest
from streams.backtest.refusing import Refusing, Removed
from streams.kafka.batches import PlainRecord
from streams.operate.errors import UsageError
from streams.processor import partitioner
from streams.settings_checks import variable
from tests.backtest.given import csv_file, rising
from tests.cli.conftest import Byline
from tests.core.given import DAY, rfc3339

WEIBO = str(Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml")
TOPIC = "byline.follower-counts"


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path / "data"))


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "backtest" / "cache"


def _entry(tmp_path: Path, text: str | None = None) -> Path:
    """A topic's cache with this text as its manifest; None: a sound one."""
    place = _folder(tmp_path) / f"{TOPIC}-0123456789ab"
    place.mkdir(parents=True)
    sound = json.dumps(asdict(Manifest(TOPIC, "c", "t")))
    (place / MANIFEST).write_text(sound if text is None else text)
    (place / "part-000001.parquet").write_bytes(b"x" * 200_000)
    return place


def _plain_run(byline: Byline, tmp_path: Path) -> None:
    rows = [row._replace(followers=row.followers * 1000) for row in rising("a1")]
    readings = csv_file(tmp_path / "r.csv", rows)
    answer = byline("backtest", WEIBO, "--readings", str(readings))
    assert answer.code == 0, answer.err


# ---- manifests that cannot be read -------------------------------------------------------------

SOUND = asdict(Manifest(TOPIC, "c", "t"))
UNREADABLE = {
    "a field of a newer version": json.dumps(SOUND | {"ripeness": 3}),
    "cut": json.dumps(SOUND)[:-20],
    "another form": json.dumps(SOUND | {"form": "byline-backtest-cache/1"}),
    "a number for a list": json.dumps(SOUND | {"files": 3}),
    "no object": "[]",
    "not UTF-8": "\udcff",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_manifest_stops_neither_other_runs_nor_its_own_cure(
    byline: Byline, tmp_path: Path, text: str
) -> None:
    place = _entry(tmp_path, "")
    (place / MANIFEST).write_bytes(text.encode(errors="surrogateescape"))
    _plain_run(byline, tmp_path)
    assert place.exists()
    with pytest.raises(UsageError, match="`byline backtest cache clear` removes the cache"):
        read_manifest(place / MANIFEST)
    listed = byline("backtest", "cache", "list")
    assert listed.code == 0, listed.err
    assert "unreadable" in listed.out
    assert "not a manifest of this version" in listed.out
    assert "`byline backtest cache clear` removes the cache" in listed.out
    assert listed.out.endswith("1 topics in the cache\n")
    assert byline("backtest", "cache", "clear").out == "1 topics removed from the cache\n"
    assert not place.exists()
    assert byline("backtest", "cache", "list").out == "0 topics in the cache\n"


def test_an_unreadable_cache_and_one_without_a_manifest_go_after_a_month_too(
    byline: Byline, tmp_path: Path
) -> None:
    place = _entry(tmp_path, "{")
    bare = _folder(tmp_path) / "byline.category-changes-0123456789ab"
    bare.mkdir()
    for path, days in ((place / MANIFEST, 31), (bare, 31)):
        at = time.time() - days * 86_400
        os.utime(path, (at, at))
    _plain_run(byline, tmp_path)
    assert not place.exists()
    assert not bare.exists()


def test_the_list_has_files_refused_records_and_what_is_missing(
    byline: Byline, tmp_path: Path
) -> None:
    full = Manifest(
        TOPIC,
        "c",
        "t",
        begins=1_750_000_000_000,
        next={"0": 30, "1": 7},
        files=[CachedFile("part-000001.parquet", 25, "0" * 64)],
        left_out={"wrong_partition": 3, "key_mismatch": 1_200},
        missing=7,
        deleted=4,
    )
    _entry(tmp_path, json.dumps(asdict(full)))
    listed = byline("backtest", "cache", "list").out
    for word in ("2025-06-15T15:06:40", " 25 ", "0.2", "0:30 1:7"):
        assert word in listed
    assert f"{TOPIC}: refused as by a worker: 1,200 key_mismatch, 3 wrong_partition" in listed
    assert f"{TOPIC} holds no record at 7 offsets" in listed
    assert "Kafka deleted up to 4 records" in listed


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    full = Manifest(
        TOPIC, "c", "t", begins=5, files=[CachedFile("p", 2, "0")], left_out={"bad_id": 1}
    )
    (tmp_path / MANIFEST).write_text(json.dumps(asdict(full)))
    assert read_manifest(tmp_path / MANIFEST) == full
    assert full.form == FORM


def test_what_is_missing_is_said_as_far_as_it_is_known() -> None:
    assert Manifest(TOPIC, "c", "t", compacted=True).notes() == []
    (compacted,) = Manifest(TOPIC, "c", "t", missing=5, compacted=True).notes()
    assert "is compacted (cleanup.policy): up to 5 records are gone" in compacted


# ---- commands at the same time -----------------------------------------------------------------

HOLDING = """
import sys, time
from pathlib import Path
from streams.backtest.cache import Cache

with Cache(Path(sys.argv[1])).held("byline backtest weibo.yaml --readings kafka"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def _held_elsewhere(folder: Path, seconds: float = 600) -> Iterator[subprocess.Popen]:
    """Another process has the cache."""
    command = [sys.executable, "-c", HOLDING, str(folder), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        try:
            yield running
        finally:
            running.kill()


def test_a_cache_in_use_is_neither_cleared_nor_too_old_and_a_kill_gives_it_back(
    byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "PATIENCE_SECONDS", 0.3)
    place = _entry(tmp_path)
    at = time.time() - 31 * 86_400
    os.utime(place / MANIFEST, (at, at))
    with _held_elsewhere(_folder(tmp_path)) as other:
        refused = byline("backtest", "cache", "clear")
        assert refused.code == 2
        said = f"`byline backtest weibo.yaml --readings kafka` (process {other.pid}) uses the cache"
        assert said in refused.err
        assert "run this again when that has ended" in refused.err
        _plain_run(byline, tmp_path)
        assert place.exists()
        assert byline("backtest", "cache", "list").code == 0
        other.send_signal(signal.SIGKILL)
        other.wait()
        _plain_run(byline, tmp_path)
        assert not place.exists(), "too old, and nobody uses it"
    assert byline("backtest", "cache", "clear").code == 0


def test_a_command_that_ends_soon_is_waited_for(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    with _held_elsewhere(folder, seconds=0.5):
        with (
            pytest.raises(UsageError, match="uses the cache of backtests"),
            Cache(folder).held("x", wait=False),
        ):
            pass
        with Cache(folder).held("byline backtest cache clear"):
            assert "cache clear` (process" in (folder / "lock").read_text()


# ---- records that a worker refuses -------------------------------------------------------------

PARTITIONS = 4
HOME = partitioner(PARTITIONS)
NOW = 1_760_000_000_000


def _accounts(number: int, count: int) -> list[str]:
    """Accounts of the platform whose key lies in this partition."""
    names = (f"a{it}" for it in range(10_000))
    return [it for it in names if HOME(f"weibo:{it}".encode()) == number][:count]


def _record(offset: int, key: str | None, value: dict | bytes | None) -> PlainRecord:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value
    return PlainRecord(offset, NOW, 1, None if key is None else key.encode(), raw)


def _reading(account: str, **changes: object) -> dict:
    told = {"platform": "weibo", "account_id": account, "followers": 10}
    return told | {"observed_at": rfc3339(NOW - DAY)} | changes


def _label(account: str, **changes: object) -> dict:
    told = {"platform": "weibo", "account_id": account, "category": "财经"}
    return told | {"observed_at": rfc3339(NOW - DAY)} | changes


def test_a_batch_of_sound_records_is_taken_at_once() -> None:
    mine = _accounts(2, 50)
    for name, one in (("follower-counts", _reading), ("category-changes", _label)):
        records = [_record(at, f"weibo:{it}", one(it)) for at, it in enumerate(mine)]
        refused: Counter[str] = Counter()
        kept, values = Refusing(name, 2, HOME).accepted(records, refused)
        assert kept is records
        assert [it.account_id for it in values] == mine
        assert not refused


def test_readings_are_refused_for_the_reasons_of_a_worker() -> None:
    good, other = _accounts(2, 2)
    (elsewhere,) = _accounts(3, 1)
    late = rfc3339(NOW + DAY)
    wrong = {
        "key_mismatch": (f"weibo:{other}", _reading(good)),
        "wrong_partition": (f"weibo:{elsewhere}", _reading(elsewhere)),
        "bad_id": ("weibo:a b", _reading("a b")),
        "name_field": (f"weibo:{good}", _reading(good, real_name="x")),
        "wrong_type": (f"weibo:{good}", _reading(good, observed_at="2025-06-15 10:00:00Z")),
        "not_json": (f"weibo:{good}", b"{"),
        "out_of_range": (f"weibo:{good}", _reading(good, followers=-1)),
        "missing_field": (f"weibo:{good}", {"platform": "weibo"}),
    }
    sound = [
        (f"weibo:{good}", _reading(good)),
        (f"weibo:{other}", _reading(other, cause="correction")),
        # The backtest knows the policies, and its core the times.
        (f"weibo:{good}", _reading(good, observed_at=late)),
    ]
    checks = Refusing("follower-counts", 2, HOME)
    for reason, (key, value) in wrong.items():
        refused: Counter[str] = Counter()
        records = [_record(at, *it) for at, it in enumerate([*sound, (key, value)])]
        records.append(_record(len(records), f"weibo:{good}", None))
        kept, values = checks.accepted(records, refused)
        assert refused == {reason: 1}
        assert [it.offset for it in kept] == [0, 1, 2]
        assert [it.account_id for it in values] == [good, other, good]
    alone: Counter[str] = Counter()
    for reason, (key, value) in wrong.items():
        assert checks.accepted([_record(0, key, value)], alone)[1] == [], reason
    assert alone == dict.fromkeys(wrong, 1)


def test_a_batch_with_a_wrong_place_alone_is_not_taken_at_once() -> None:
    (mine,), (elsewhere,) = _accounts(1, 1), _accounts(0, 1)
    pairs = enumerate((mine, elsewhere, mine))
    records = [_record(at, f"weibo:{it}", _reading(it)) for at, it in pairs]
    refused: Counter[str] = Counter()
    kept, _ = Refusing("follower-counts", 1, HOME).accepted(records, refused)
    assert [it.offset for it in kept] == [0, 2]
    assert refused == {"wrong_partition": 1}


def test_other_platforms_are_kept_and_bad_names_of_platforms_are_not() -> None:
    keys = [f"{platform}:{it}" for platform in ("douyin", "Wei bo") for it in range(50)]
    mine = [key for key in keys if HOME(key.encode()) == 0]
    records = []
    for at, key in enumerate(mine):
        platform, _, account = key.partition(":")
        records.append(_record(at, key, _reading(account, platform=platform)))
    refused: Counter[str] = Counter()
    _, values = Refusing("follower-counts", 0, HOME).accepted(records, refused)
    assert {it.platform for it in values} == {"douyin"}
    assert refused == {"bad_id": len(mine) - len(values)}


def test_tombstones_of_labels_are_kept_with_a_sound_key_in_its_place() -> None:
    (mine,), (elsewhere,) = _accounts(2, 1), _accounts(0, 1)
    records = [
        _record(0, f"weibo:{mine}", _label(mine)),
        _record(1, f"weibo:{mine}", None),
        _record(2, f"weibo:{elsewhere}", None),
        _record(3, "weibo", None),
        _record(4, None, None),
    ]
    refused: Counter[str] = Counter()
    kept, values = Refusing("category-changes", 2, HOME).accepted(records, refused)
    assert [it.offset for it in kept] == [0, 1]
    assert isinstance(values[1], Removed)
    assert (values[1].platform, values[1].account_id, values[1].category) == ("weibo", mine, None)
    assert refused == {"wrong_partition": 1, "bad_id": 2}
