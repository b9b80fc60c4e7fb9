"""A partition's RocksDB: kept apart, taken up again, and made anew where it is of no use."""

import os
from pathlib import Path
from typing import Any

import pytest

from streams.engine.checkpoint import CHECKPOINT_KEY
from streams.engine.recovery import _apply
from streams.engine.stores import BrokenDiskError, PartitionStores
from streams.stop_worker import StopWorker
from tests.core.given import GivenRecord
from tests.engine.given import opened


def test_stores_keep_stores_apart_and_survive_reopening(tmp_path: Path) -> None:
    stores = opened(tmp_path / "db")
    stores.apply([("a", [(b"k", b"1")]), ("b", [(b"k", b"2"), (b"l", b"3")])], b"p", {"b": 7})
    stores.apply([("b", [(b"l", None)])], None, {"a": 5})
    stores.close()
    again = opened(tmp_path / "db")
    assert again.load_meta(3600)
    assert dict(again.items_on_disk("a")) == {b"k": b"1"}
    assert dict(again.items("b")) == {b"k": b"2"}
    assert again.meta.changelog_next == {"a": 5, "b": 7}
    assert again.meta.position == b"p"
    again.close()


def test_an_answer_of_the_changelog_is_kept_as_its_last_record_of_each_key(tmp_path: Path) -> None:
    stores = opened(tmp_path / "db")
    stores.apply([("b", [(b"gone", b"0"), (b"stays", b"0")])], b"p0", {"b": 5})
    answer: list[tuple[bytes | None, bytes | None]] = [
        *((b"k", b"1"), (CHECKPOINT_KEY, b"p1"), (b"gone", None), (b"back", None)),
        *((None, b"nobody's"), (b"k", b"2"), (b"back", b"3"), (CHECKPOINT_KEY, b"p2")),
    ]
    records: list[Any] = [GivenRecord(5 + at, 0, *it) for at, it in enumerate(answer)]
    _apply(stores, "b", records, 14)
    assert dict(stores.items_on_disk("b")) == {b"back": b"3", b"k": b"2", b"stays": b"0"}
    assert (stores.meta.position, stores.meta.changelog_next) == (b"p2", {"b": 14})
    _apply(stores, "b", records[:1], 15)
    assert stores.meta.position == b"p2"


@pytest.mark.parametrize("case", ["other identity", "too old"])
def test_stores_of_no_use_are_wiped(tmp_path: Path, case: str) -> None:
    stores = opened(tmp_path / "db")
    stores.apply([("b", [(b"k", b"2")])], b"p", {"b": 7})
    stores.close()
    again = opened(tmp_path / "db", "other" if case == "other identity" else "id")
    assert not again.load_meta(3600 if case == "other identity" else -1)
    assert dict(again.items("b")) == {}
    again.close()


def test_a_disk_of_another_making_is_of_no_use(tmp_path: Path) -> None:
    stores = opened(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores._db.put(b"\xffmeta", b'{"format": "another"}')
    stores._db.close()
    stores = opened(tmp_path / "p")
    assert not stores.load_meta(3600)
    assert list(stores.items_on_disk("a")) == []


def test_a_broken_disk_is_made_anew(tmp_path: Path) -> None:
    stores = opened(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores.close()
    (tmp_path / "p" / "CURRENT").write_text("nonsense")
    stores = opened(tmp_path / "p")
    assert not stores.load_meta(3600)


def test_a_disk_that_ends_too_early_is_not_taken_for_whole(tmp_path: Path) -> None:
    stores = opened(tmp_path / "p")
    stores.apply([("b", [(b"k", b"v")])], b"position", {"b": 3})
    stores._db.delete(b"\xffmeta")
    with pytest.raises(BrokenDiskError, match="cannot be read to its end"):
        list(stores.items_on_disk("b"))


def _damage(path: Path) -> None:
    """Turn the middle of each table file over."""
    for table in path.glob("*.sst"):
        content = bytearray(table.read_bytes())
        for place in range(0, len(content) // 2, 16):
            content[place] ^= 0xFF
        table.write_bytes(content)


def _filled(path: Path) -> None:
    stores = opened(path)
    for number in range(50):
        rows = [(b"k%d-%d" % (number, one), os.urandom(200)) for one in range(100)]
        stores.apply([("b", rows)], b"position", {"b": number})
    stores._db.flush()
    stores._db.close()


def test_a_damaged_block_met_while_reading_marks_the_folder_for_the_next_start(
    tmp_path: Path,
) -> None:
    _filled(tmp_path / "p")
    _damage(tmp_path / "p")
    stores = opened(tmp_path / "p")
    keys = [b"k%d-7" % number for number in range(50)]
    with pytest.raises(Exception, match="Corruption"):
        list(map(stores.reader("b"), keys))
    stores.close()
    assert "Corruption" in (tmp_path / "p.broken").read_text()
    stores = opened(tmp_path / "p")
    assert not (tmp_path / "p.broken").exists()
    assert not stores.load_meta(3600)
    stores.apply([("b", [(b"k", b"v")])], b"position", {"b": 1})
    assert stores.get("b", b"k") == b"v"


@pytest.mark.parametrize(
    "text",
    [
        "Invalid argument: IO error: Too many open files: /x/MANIFEST-000005",
        "IO error: No space left on device: While appending to file",
        "Invalid argument: No space left on device",
        "IO error: While lock file: Resource temporarily unavailable",
    ],
)
def test_a_machine_that_is_short_of_something_loses_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    stores = opened(tmp_path / "p")
    stores.apply([("a", [(b"k", b"v")])], b"position", {"a": 3})
    stores.close()

    def short(self: PartitionStores) -> None:
        raise Exception(text)

    with monkeypatch.context() as patched:
        patched.setattr(PartitionStores, "_open", short)
        with pytest.raises(StopWorker, match="It is left as it is"):
            opened(tmp_path / "p")
    stores = opened(tmp_path / "p")
    assert stores.load_meta(3600)
    assert dict(stores.items_on_disk("a")) == {b"k": b"v"}
