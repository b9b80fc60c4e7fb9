"""`byline index`: copies the topics into a database, and serves the read API on it."""

import asyncio
import signal
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Annotated

import typer
from sqlalchemy import Engine

from streams.cli.output import echo, echo_error, settings
from streams.cli.source import now_ms
from streams.index.database import open_engine, shown, url_of
from streams.index.follow import Indexer
from streams.index.schema import check
from streams.operate.errors import UsageError
from streams.policies.scalars import parse_duration
from streams.serve.expiry import delete_expired, keep_deleting
from streams.serve.roles import read_roles
from streams.settings import Settings

STOPPED = 130
"""The exit code of a run that was told to stop before it had read what is there."""


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
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Answer over HTTP until SIGTERM; reads no topics without --follow."
        ),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of --serve.")] = 9466,
) -> None:
    """Copy outputs, decisions, dead letters, inputs of people and state into BYLINE_DATABASE.

    Each record is copied once, however often this is killed. An older schema is migrated. A second
    indexer of the same database waits until the first has ended. --serve answers holders of a token
    in BYLINE_ROLES_FILE, at BYLINE_HTTP_HOST; /openapi.json describes the API. Exit 130: told to
    stop before all was read; the next run goes on there.
    """
    chosen = settings(without_policies=True)
    if rebuild and serve and not follow:
        raise UsageError("--rebuild reads topics: with --serve it needs --follow")
    engine = open_engine(url_of(chosen), make=not serve or follow)
    try:
        indexer = asyncio.run(_run(chosen, engine, follow, rebuild, port if serve else None))
    finally:
        engine.dispose()
    if indexer is not None:
        _end(indexer, f"{indexer.records:,} records read into {shown(engine.url)}", follow)


def _end(indexer: Indexer, says: str, follow: bool) -> None:
    """Prints how far it came. Exits with 130 if it was to read all that is there, and has not."""
    if indexer.left:
        says = f"stopped: {says}, {indexer.left:,} are left; the next `byline index` goes on there"
    elif not follow and not indexer.done:
        says = f"stopped before it knew that all is read: {says}; nothing is lost"
    (echo if follow or indexer.done else echo_error)(says)
    if not follow and not indexer.done:
        raise typer.Exit(STOPPED)


async def _run(
    chosen: Settings, engine: Engine, follow: bool, rebuild: bool, port: int | None
) -> Indexer | None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        if port is not None and not follow:
            await _serve(chosen, engine, port, stack)
            await stopping.wait()
            return None
        indexer = Indexer(chosen, engine, echo_error if follow else echo, stopping)
        if port is not None:
            indexer.on_ready = lambda: _serve(chosen, engine, port, stack)
        await indexer.run(follow, rebuild)
        return indexer


async def _serve(chosen: Settings, engine: Engine, port: int, stack: AsyncExitStack) -> None:
    """Starts the read API; it runs until `stack` is closed.

    Raises UsageError if the roles file is missing or wrong or the port cannot be opened, IndexFault
    if the index cannot be used.
    """
    from aiohttp import web

    from streams.serve.api import make_app

    if chosen.roles_file is None:
        raise UsageError(
            "BYLINE_ROLES_FILE is missing: a file with a line SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]"
            " for each who may ask"
        )
    roles = read_roles(chosen.roles_file)
    await asyncio.to_thread(check, engine)
    await asyncio.to_thread(delete_expired, engine, chosen, now_ms())
    deleting = asyncio.create_task(keep_deleting(engine, chosen, now_ms))
    stack.callback(deleting.cancel)
    unconfirmed = parse_duration(chosen.unconfirmed_after)
    acknowledged = parse_duration(chosen.acknowledged_within)
    app = make_app(engine, roles, now_ms, unconfirmed, acknowledged, version("byline"))
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, chosen.http_host, port)
    try:
        await site.start()
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}") from error
    host, bound = runner.addresses[0][:2]
    echo(f"answering at http://{host}:{bound}/v1")
