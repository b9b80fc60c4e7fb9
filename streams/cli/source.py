"""Chooses where a question is answered from: the index if there is one, else Kafka."""

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
    """The present instant."""
    return int(time.time() * 1000)


def from_topics(kafka: bool) -> str:
    """Where an answer is from that no index gave; `kafka`: because that was asked for."""
    return "from the topics themselves" + ("" if kafka else ": there is no index")


@contextmanager
def index_engine(chosen: Settings, kafka: bool = False) -> Iterator[Engine | None]:
    """The index. None if there is none, or if Kafka was asked for. Raises SchemaFault."""
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
    """The index, of one moment, for a question that Kafka alone cannot answer; NoIndexFault."""
    engine = open_engine(url_of(chosen))
    try:
        check(engine)
        with reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()
