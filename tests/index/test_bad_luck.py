"""What can go wrong beside a following indexer: it says so, waits or ends, and loses nothing."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import URL, Engine, func, select

from streams.index import tables
from streams.index.database import BUSY_MS, open_engine, reading, url_of
from streams.operate.topics import names_of
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.index.poured import pour, topics, two_lives
from tests.operate.conftest import until
from tests.support import processes
from tests.support.zygote import Child

__all__ = ["byline", "clean_environment", "on_kafka"]
pytestmark = pytest.mark.kafka
ROOMY = 90.0


@pytest.fixture
def following(on_kafka: Settings, tmp_path: Path) -> Iterator[tuple[Child, Engine, Path]]:
    """An indexer that has read the first half of two lives."""
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records[: len(records) // 2])
    said = tmp_path / "said"
    process = processes.start(["index", "--follow"], os.environ, said)
    engine = open_engine(url_of(on_kafka))
    until(lambda: count(engine) == len(records) // 2, ROOMY, "the first half is read")
    yield process, engine, said
    process.kill()
    process.wait(30)


def count(engine: Engine) -> int:
    """How many records were read."""
    try:
        with reading(engine) as connection:
            return connection.scalar(select(func.sum(tables.positions.c.next_offset))) or 0
    except Exception:
        return 0


def test_a_database_that_somebody_locks_is_waited_for_and_nothing_is_lost(
    following: tuple[Child, Engine, Path], on_kafka: Settings
) -> None:
    process, engine, said = following
    records = two_lives()
    shell = sqlite3.connect(str(engine.url.database), isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    pour(on_kafka, records[len(records) // 2 :])
    wanted = "another program has locked"
    until(lambda: wanted in said.read_text(), ROOMY + BUSY_MS / 1000, "it says who is in its way")
    assert process.poll() is None
    assert count(engine) == len(records) // 2, "whoever reads is not locked out"
    shell.execute("COMMIT")
    until(lambda: count(engine) == len(records), ROOMY, "it goes on")
    until(lambda: "answers again" in said.read_text(), ROOMY, "it says that it is back")
    assert said.read_text().count(wanted) == 1
    process.terminate()
    assert process.wait(30) == 0


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 16 MB, on which the index is."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "byline", str(folder)], check=True)
    monkeypatch.setenv(variable("database"), f"sqlite:///{folder}/index.sqlite")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_is_waited_for_and_nothing_is_lost(
    small_disk: Path, on_kafka: Settings, tmp_path: Path
) -> None:
    topics(on_kafka)
    records, said = two_lives(), tmp_path / "said"
    process = processes.start(["index", "--follow"], os.environ, said)
    url = URL.create("sqlite", database=str(small_disk / "index.sqlite"))
    engine = open_engine(url)
    pour(on_kafka, records[: len(records) // 2])
    until(lambda: count(engine) == len(records) // 2, ROOMY, "the first half is read")
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    pour(on_kafka, records[len(records) // 2 :])
    until(lambda: "no space is left" in said.read_text(), ROOMY, "it says that it is full")
    assert process.poll() is None
    (small_disk / "filler").unlink()
    until(lambda: count(engine) == len(records), ROOMY, "it goes on")
    until(lambda: "answers again" in said.read_text(), ROOMY, "it says that it is back")
    assert said.read_text().count("no space is left") == 1
    process.terminate()
    assert process.wait(30) == 0
    engine.dispose()


def test_a_file_that_is_taken_away_ends_the_indexer_with_what_to_do(
    following: tuple[Child, Engine, Path], on_kafka: Settings, byline: Byline
) -> None:
    """Else it would write into a file without a name for ever, and nobody would read it."""
    process, engine, said = following
    engine.dispose()
    for it in Path(str(engine.url.database)).parent.glob("index.sqlite*"):
        it.unlink()
    assert process.wait(30) == 2
    assert "was removed while it was written to: start `byline index` again" in said.read_text()
    assert byline("index").code == 0
    again = open_engine(url_of(on_kafka))
    assert count(again) == len(two_lives()) // 2


def test_what_kafka_dropped_before_it_was_read_is_written_down_and_the_rest_is_read(
    following: tuple[Child, Engine, Path], on_kafka: Settings, byline: Byline
) -> None:
    process, engine, _ = following
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    records = two_lives()
    pour(on_kafka, records[len(records) // 2 :])
    name = names_of(on_kafka).prefix + "decisions"
    with reading(engine) as connection:
        mine = tables.positions.c.topic == "decisions"
        at = dict(
            connection.execute(
                select(tables.positions.c.partition, tables.positions.c.next_offset).where(mine)
            ).all()  # type: ignore[arg-type]
        )
    admin = AdminClient({"bootstrap.servers": on_kafka.kafka_bootstrap_servers})
    # Partition 1: to where the index is, so that its last record is gone; 0: beyond that.
    cut = [TopicPartition(name, 0, at[0] + 5), TopicPartition(name, 1, at[1])]
    for future in admin.delete_records(cut).values():
        future.result(30)
    time.sleep(1)
    done = byline("index")
    assert done.code == 0, done.err
    says = f"decisions[0]: Kafka no longer has offsets {at[0]} to {at[0] + 4}"
    assert says in done.out
    assert "decisions[1]" not in done.out
    with reading(engine) as connection:
        runs = connection.execute(select(tables.runs.c.what, tables.runs.c.says)).all()
    assert ("gap", says) in [tuple(it) for it in runs]
    assert count(engine) == len(records)
    assert "0 records read" in byline("index").out
