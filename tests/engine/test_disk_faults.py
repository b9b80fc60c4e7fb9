"""Faults of a worker's disk: who has to act, and what the next start does. The limit of files."""

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rocksdict import Rdict

from streams.engine import disk_faults
from streams.engine.checkpoint import FORMAT, Checkpoint, encode_checkpoint
from streams.engine.disk_reading import read_disk
from streams.engine.stores import PartitionStores
from streams.stop_worker import ExitCode, StopWorker
from tests.engine.disk_table import (
    ANEW,
    FILE_FAULTS,
    KEPT,
    REST,
    TABLE,
    TEXT_FAULTS,
    FileFault,
    TextFault,
    table,
)
from tests.engine.given import opened
from tests.engine.harness import Toys, wait_until


def test_the_soft_limit_of_open_files_is_raised_and_what_is_needed_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(disk_faults.resource, "getrlimit", lambda _: (256, 1_000))
    monkeypatch.setattr(disk_faults.resource, "setrlimit", lambda _, limits: taken.append(limits))
    disk_faults.raise_file_limit(4)
    assert caplog.text == ""
    disk_faults.raise_file_limit(200)
    assert taken == [(1_000, 1_000)] * 2
    assert "at most 1000 files may be open, 2100 are needed" in caplog.text


POSITION = encode_checkpoint(Checkpoint(FORMAT, 1, 0, {}))


def _write(stores: PartitionStores, number: int) -> None:
    rows = [(b"k%d-%d" % (number, one), os.urandom(100)) for one in range(20)]
    stores.apply([("b", rows)], POSITION, {"b": number})


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a worker that was killed: some tables, and a log with what came after them."""
    home = tmp_path_factory.mktemp("killed")
    stores = opened(home / "live")
    for number in range(4):
        _write(stores, number)
    stores._db.flush()
    for number in range(4, 8):
        _write(stores, number)
    shutil.copytree(home / "live", home / "folder")
    stores.close()
    return home / "folder"


def _starts(path: Path) -> str:
    """What a start makes of a folder; it must be of use afterwards, also to the start after it."""
    stores = opened(path)
    found = ANEW
    if stores.load_meta(3600):
        upto = stores.meta.changelog_next["b"]
        assert len(list(stores.items_on_disk("b"))) == 20 * (upto + 1), "a state that never was"
        found = KEPT if upto == 7 else REST
    _write(stores, 9)
    stores.close()
    stores = opened(path)
    assert stores.load_meta(3600)
    assert stores.meta.changelog_next == {"b": 9}
    stores.close()
    assert not path.with_name(f"{path.name}.broken").exists()
    return found


@pytest.mark.parametrize("fault", FILE_FAULTS, ids=lambda it: it.name)
def test_given_lost_or_damaged_files_then_the_start_goes_on_with_a_state_that_was(
    fault: FileFault, killed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "partition-0"
    shutil.copytree(killed, path)
    files = list(path.glob(fault.files))
    assert files
    for file in files:
        fault.how(file)
    assert _starts(path) == fault.start


def _snapshot(home: Path) -> Path:
    """The folder of a running worker with two logs of writes, the first one not in a table yet."""
    stores = opened(home / "live")
    for number in range(3_000):
        _write(stores, number)
        logs = list((home / "live").glob("*.log"))
        if len(logs) == 2:
            shutil.copytree(home / "live", home / "folder")
            copied = sorted((home / "folder").glob("*.log"))
            if len(copied) == 2 and all(log.stat().st_size for log in copied):
                break
            shutil.rmtree(home / "folder")
    stores.close()
    return home / "folder"


@pytest.mark.parametrize("restarted", [True, False])
def test_given_a_machine_that_stopped_then_a_folder_in_use_is_not_believed(
    restarted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept the second log and lost the first: it said that it was complete, and was not."""
    path = _snapshot(tmp_path)
    if restarted:
        min(path.glob("*.log")).write_bytes(b"")
        (tmp_path / "boot").write_text("another")
        monkeypatch.setattr(disk_faults, "BOOT_ID", tmp_path / "boot")
    assert (read_disk(path, ["a", "b"]) is None) == restarted
    stores = opened(path)
    assert stores.load_meta(3600) != restarted
    stores.close()


def test_given_a_clean_stop_then_the_folder_is_believed_after_the_machine_s_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = opened(tmp_path / "p")
    _write(stores, 7)
    stores.close()
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(disk_faults, "BOOT_ID", tmp_path / "boot")
    assert read_disk(tmp_path / "p", ["a", "b"]) is not None
    stores = opened(tmp_path / "p")
    assert stores.load_meta(3600)
    stores.close()
    monkeypatch.setattr(disk_faults, "BOOT_ID", tmp_path / "nowhere")
    assert opened(tmp_path / "p").load_meta(3600)


class _TakesNothing:
    """A database that can be closed, and takes nothing."""

    def __init__(self, whole: Rdict) -> None:
        self._whole = whole

    def put(self, *_: object) -> None:
        raise Exception("IO error: No space left on device")

    def close(self) -> None:
        self._whole.close()


def test_given_a_full_disk_at_a_clean_stop_then_the_folder_is_closed_all_the_same(
    tmp_path: Path,
) -> None:
    stores = opened(tmp_path / "p")
    _write(stores, 7)
    stores._db = _TakesNothing(stores._db)
    stores.close()
    stores = opened(tmp_path / "p")
    assert stores.load_meta(3600)
    stores.close()


class _Failing:
    """A database of which every call fails so; an iterator ends, and says it when it is asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get(self, *_: object) -> None:
        raise Exception(self._text)

    write = close = status = get

    def iter(self, *_: object) -> "_Failing":
        return self

    def seek(self, key: bytes) -> None:
        pass

    def valid(self) -> bool:
        return False


@pytest.mark.parametrize("act", ["read", "write", "scan"])
@pytest.mark.parametrize("fault", TEXT_FAULTS, ids=lambda it: it.name)
def test_given_an_error_of_the_disk_while_running_then_it_ends_with_the_code_of_who_must_act(
    fault: TextFault, act: str, tmp_path: Path
) -> None:
    path = tmp_path / "partition-0"
    stores = opened(path)
    _write(stores, 7)
    whole = stores._db
    stores._db = _Failing(fault.text)
    acts: dict[str, Callable[[], object]] = {
        "read": lambda: stores.get("b", b"k"),
        "write": lambda: _write(stores, 8),
        "scan": lambda: list(stores.items_on_disk("b")),
    }
    with pytest.raises(Exception, match=re.escape(fault.text)) as met:
        acts[act]()
    error = met.value
    code = error.exit_code if isinstance(error, StopWorker) else ExitCode.RESTART
    assert code == fault.code
    assert path.with_name("partition-0.broken").exists() == (fault.start == ANEW)
    stores.close()
    whole.close()
    assert opened(path).load_meta(3600) == (fault.start != ANEW)


@pytest.mark.parametrize("fault", TEXT_FAULTS, ids=lambda it: it.name)
def test_given_an_error_at_the_opening_then_it_is_refused_or_made_anew(
    fault: TextFault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, told = tmp_path / "partition-0", PartitionStores._open, []
    stores = opened(path)
    _write(stores, 7)
    stores.close()

    def once(self: PartitionStores) -> Rdict:
        if not told:
            told.append(fault.text)
            raise Exception(fault.text)
        return real(self)

    monkeypatch.setattr(PartitionStores, "_open", once)
    if fault.code == ExitCode.PERSON:
        with pytest.raises(StopWorker, match="It is left as it is") as refused:
            opened(path)
        assert refused.value.exit_code == ExitCode.PERSON
    assert opened(path).load_meta(3600) == (fault.start != ANEW)


def test_given_a_folder_that_cannot_be_made_anew_then_a_person_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was met anew at each start, with 70."""

    def damaged(self: PartitionStores) -> Rdict:
        raise Exception("Corruption: nothing can be read here")

    monkeypatch.setattr(PartitionStores, "_open", damaged)
    with pytest.raises(StopWorker, match="nothing can be read here") as refused:
        opened(tmp_path / "partition-0")
    assert refused.value.exit_code == ExitCode.PERSON


def test_given_a_damaged_folder_that_cannot_be_marked_then_a_person_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    damage = Exception("Corruption: a block")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StopWorker, match="No space left"):
        disk_faults.judge(tmp_path / "partition-0", damage)
    disk_faults.judge(tmp_path / "partition-0", ValueError("no fault of a disk"))


def test_the_table_in_the_documents_is_that_of_the_tests() -> None:
    assert TABLE.read_text() == table(), "python -m tests.engine.disk_table --write"


def _may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("unshare") is not None and _unshared("true") == 0


def _unshared(*command: str) -> int:
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs x /mnt && "$0"']
    return subprocess.run([*mount, *command], capture_output=True, check=False).returncode


@pytest.fixture
def small_disk(toys: Toys) -> Iterator[Path]:
    """The folder of worker `one` as a file system of 8 MiB."""
    if not _may_mount():
        pytest.skip("only root may mount a file system, and not in every container")
    folder = toys.folder / "one"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "x", str(folder)], check=True)
    try:
        yield folder
    finally:
        for worker in toys.workers:
            worker.kill()
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.kafka
def test_given_a_disk_that_fills_up_then_a_worker_asks_for_room_and_goes_on_with_it(
    toys: Toys, small_disk: Path
) -> None:
    """It ended with 70, and so did each start after it."""
    worker = toys.worker().ready(parts=4)
    toys.add(100)
    toys.assert_exact()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))

    def full() -> bool:
        toys.add(2_000, keys=500)
        return worker.process.poll() is not None

    wait_until(full, 40, "the disk is full")
    worker.refuses("cannot be used: ", "No space left on device", "Free room")
    toys.worker().refuses("No space left on device")
    ballast.unlink()
    toys.worker().ready(parts=4)
    toys.assert_exact()
    assert not list(small_disk.rglob("*.broken"))
