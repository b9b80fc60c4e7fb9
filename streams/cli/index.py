"""`byline index`: the topics, projected into a database."""

import asyncio
import signal
from typing import Annotated

import typer

from streams.cli.say import complain, say, settings
from streams.index.database import open_engine, shown, url_of
from streams.index.follow import Indexer


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(index)


def index(
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until SIGTERM, beside the workers.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Read all again; what Kafka no longer has is kept."),
    ] = False,
) -> None:
    """Read outputs, decisions, dead letters, words and state into a database (BYLINE_DATABASE).

    Each record counts once, however often this is killed; a newer schema is taken up by itself. A
    second indexer of the same database waits until the first has ended.
    """
    chosen = settings(without_policies=True)
    engine = open_engine(url_of(chosen), make=True)

    async def run() -> int:
        indexer = Indexer(chosen, engine, complain if follow else say)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, indexer.stopping.set)
        await indexer.run(follow, rebuild)
        return indexer.records

    try:
        count = asyncio.run(run())
    finally:
        engine.dispose()
    say(f"{count:,} records read into {shown(engine.url)}")
