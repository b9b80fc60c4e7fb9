"""An index filled from a recording: all that lay in the topics, as an indexer would read it."""

import functools
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, select

from streams.index import schema, tables
from streams.index.database import open_engine, reading
from streams.index.projection import UNDECODABLE, project
from streams.index.rows import Rows
from streams.index.writer import Place, Position, Writer
from streams.operate.account_states import CHANGELOG
from streams.operate.audit.records import Record
from tests.operate.recording import Tape

PREFIX = "byline."


@functools.cache
def _brought_up() -> bytes:
    """The file of an index without a row: the migrations run once, and are copied."""
    with tempfile.TemporaryDirectory(prefix="byline-index-") as folder:
        file = Path(folder) / "index.sqlite"
        engine = open_engine(URL.create("sqlite", database=str(file)), make=True)
        schema.bring_up(engine, 0)
        # The last connection that closes brings the write-ahead log into the file.
        engine.dispose()
        return file.read_bytes()


def empty(folder: Path, name: str = "index.sqlite") -> Engine:
    """An index without a row."""
    return _laid(folder / name, _brought_up())


def _laid(file: Path, written: bytes) -> Engine:
    engine = open_engine(URL.create("sqlite", database=str(file)), make=True)
    file.write_bytes(written)
    return engine


def changelog(tape: Tape) -> list[Record]:
    """The newest record of each key, as compaction leaves them."""
    state = tape.tables.state["accounts"].items()
    return [
        Record(CHANGELOG, 0, number, tape.now, key, value)
        for number, (key, value) in enumerate(state)
    ]


def all_of(tape: Tape) -> list[Record]:
    """Every record that an indexer would read."""
    read = [it for it in tape.records() if it.topic not in ("follower-counts", "category-changes")]
    return [*read, *changelog(tape)]


def write(engine: Engine, records: Iterable[Record], size: int = 1_000) -> Writer:
    """Index these records, so many in a transaction."""
    writer = Writer(engine)
    writer.load()
    listed = list(records)
    writer.begin({(it.topic, it.partition): 0 for it in listed})
    for start in range(0, len(listed), size):
        part = listed[start : start + size]
        rows, moved = Rows(), dict[Place, Position]()
        for it in part:
            with suppress(*UNDECODABLE):
                project(it, rows, PREFIX)
            moved[it.topic, it.partition] = Position(it.offset + 1, it.offset, it.timestamp)
        writer.write(rows, moved, {"as_of": part[-1].timestamp, "behind": 0, "written_at": 0})
    return writer


@functools.lru_cache(maxsize=16)
def _filled(records: tuple[Record, ...]) -> bytes:
    """The file of an index of these: dozens of tests ask for that of the same recording."""
    with tempfile.TemporaryDirectory(prefix="byline-index-") as folder:
        engine = empty(Path(folder))
        write(engine, records)
        engine.dispose()
        return (Path(folder) / "index.sqlite").read_bytes()


def filled(folder: Path, tape: Tape, name: str = "index.sqlite") -> Engine:
    """An index of a recording."""
    return index_of(folder, all_of(tape), name)


def index_of(folder: Path, records: Iterable[Record], name: str = "index.sqlite") -> Engine:
    """An index of these records, which are projected once a process."""
    return _laid(folder / name, _filled(tuple(records)))


def contents(engine: Engine) -> Mapping[str, list[Any]]:
    """All rows that come from Kafka, by table, in one order."""
    found = {}
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            if table in tables.OWN or table is tables.freshness:
                continue
            # Sorted here: databases have orders of their own for text.
            rows = [tuple(it) for it in connection.execute(select(table))]
            found[table.name] = sorted(rows, key=repr)
    return found
