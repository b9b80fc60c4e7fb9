"""Chooses the source of a command's answer: the index if there is one, else Kafka."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Connection, Engine

from streams.cli.output import echo_error
from streams.index.database import open_engine, reading, url_of
from streams.index.errors import NoIndexFault
from streams.index.fresh import freshness, whole
from streams.index.schema import check
from streams.settings import Settings

FromKafka = Annotated[
    bool, typer.Option("--kafka", help="Read the topics, also where there is an index.")
]


def now_ms() -> int:
    """Returns the present time in ms since 1970."""
    return int(time.time() * 1000)


def from_topics(kafka: bool) -> str:
    """Returns the sentence on the source of an answer read from Kafka.

    `kafka`: the user asked for that; else there is no index, or none that is whole.
    """
    return "from the topics themselves" + ("" if kafka else ": there is no whole index")


@contextmanager
def index_engine(chosen: Settings, kafka: bool = False) -> Iterator[Engine | None]:
    """Opens the index; yields None if there is none, or if `kafka` asks for Kafka.

    An index that has never read all topics since it was made or rebuilt is none: what it lacks
    would look like nothing. That is said on standard error.

    Raises SchemaFault, DatabaseAway, IndexFault.
    """
    if kafka:
        yield None
        return
    engine = open_engine(url_of(chosen))
    try:
        try:
            check(engine)
        except NoIndexFault:
            yield None
        else:
            yield engine if _is_whole(engine) else None
    finally:
        engine.dispose()


def _is_whole(engine: Engine) -> bool:
    with reading(engine) as connection:
        fresh = freshness(connection)
    if fresh.as_of is None:
        echo_error(
            f"the index has not yet read all topics ({fresh.progress()}): this answer is read from"
            " the topics themselves"
        )
    return fresh.as_of is not None


@contextmanager
def index_needed(chosen: Settings) -> Iterator[Connection]:
    """Opens the index in one snapshot, for a question that only the index can answer.

    Raises NoIndexFault, SchemaFault, UnreadFault, DatabaseAway, IndexFault.
    """
    engine = open_engine(url_of(chosen))
    try:
        check(engine)
        with reading(engine) as connection:
            whole(connection)
            yield connection
    finally:
        engine.dispose()
