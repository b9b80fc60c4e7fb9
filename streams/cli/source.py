"""Chooses the source of a command's answer: the index if there is one, else Kafka."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Connection, Engine

from streams.index.database import open_engine, reading, url_of
from streams.index.errors import NoIndexFault
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

    `kafka`: the user asked for that; else there is no index.
    """
    return "from the topics themselves" + ("" if kafka else ": there is no index")


@contextmanager
def index_engine(chosen: Settings, kafka: bool = False) -> Iterator[Engine | None]:
    """Opens the index; yields None if there is none, or if `kafka` asks for Kafka.

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
            yield engine
    finally:
        engine.dispose()


@contextmanager
def index_needed(chosen: Settings) -> Iterator[Connection]:
    """Opens the index in one snapshot, for a question that only the index can answer.

    Raises NoIndexFault, SchemaFault, DatabaseAway, IndexFault.
    """
    engine = open_engine(url_of(chosen))
    try:
        check(engine)
        with reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()
