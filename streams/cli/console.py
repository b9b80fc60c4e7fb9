"""`byline console`: pages for people, on the index."""

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer
from aiokafka.errors import KafkaError
from sqlalchemy import Engine

from streams.cli.output import echo, echo_error, settings, settings_file
from streams.cli.source import now_ms
from streams.extras import to_install
from streams.index.database import PAGES_CACHE_KIB, open_engine, url_of
from streams.index.schema import check
from streams.operate.acl import permissions
from streams.operate.audit.reading import MissingTopicsError, Reader
from streams.operate.clients import consumer
from streams.operate.errors import KafkaAbsentError, UsageError
from streams.operate.role_rights import refuse_lacking
from streams.operate.send import Sent, send_values
from streams.serve.expiry import delete_expired, keep_deleting
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.console.site import Console

RIGHTS_SECONDS = 15.0
"""How long to ask Kafka for the console's rights before the pages are served without an answer."""

ENDS_SECONDS = 15.0
"""How long Kafka may take to say where an input ends."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(console)


def console(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens.")] = 9467,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="A proxy that signs people in: its address or network; repeat it."),
    ] = None,
    user_header: Annotated[
        str, typer.Option(help="The header in which such a proxy states who asks.")
    ] = "X-Forwarded-User",
    token_peer: Annotated[
        list[str] | None,
        typer.Option(
            help="An address or network from which a token signs in beside 127.0.0.1, like the"
            " gateway of a container's network; repeat it."
        ),
    ] = None,
) -> None:
    """Show pages for people at BYLINE_HTTP_HOST until SIGTERM: why, what is due, what can be done.

    It reads the index, which has to be there, and asks who may by BYLINE_ROLES_FILE. A token of
    that file signs in at 127.0.0.1 and from --token-peer alone. Behind --proxy, and only from
    there, whom the proxy states is signed in, by a line of the file that begins with user:. With
    BYLINE_OIDC_ISSUER an OpenID provider signs people in, by a line that begins with oidc.
    It exits with 2 if Kafka denies it a right of the role console.
    """
    chosen = settings(without_policies=True)
    try:
        from streams.console.actors import read_actors
        from streams.console.app import make_app
        from streams.console.aside import Aside, CommandProcess
        from streams.console.oidc import OidcProvider
        from streams.console.peers import peers_of
        from streams.console.role_file import RoleFile
        from streams.console.sessions import key_in
        from streams.console.site import Console
        from streams.letters.desk import LetterDesk
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing: {to_install('console')}") from None
    if chosen.roles_file is None:
        raise UsageError(
            "BYLINE_ROLES_FILE is missing: a file with a line SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]"
            " for each who may ask"
        )
    if chosen.oidc_actors_file is not None:
        read_actors(chosen.oidc_actors_file)
    engine = open_engine(url_of(chosen), cache_kib=PAGES_CACHE_KIB)
    folder, file = chosen.data_dir / chosen.application_id, settings_file()
    run = CommandProcess(() if file is None else ("--settings", str(file)))
    aside = Aside(engine, folder, now_ms, run)
    try:
        _prepare(chosen, engine)
        key = key_in(folder)
        made = Console(
            engine,
            chosen,
            RoleFile(chosen.roles_file),
            now_ms,
            key,
            _sender(chosen),
            _asker(chosen),
            LetterDesk(chosen),
            aside,
            peers_of(proxy or [], user_header, token_peer or []),
            oidc=None if chosen.oidc_issuer is None else OidcProvider(chosen, now_ms, key),
        )
        asyncio.run(_serve(make_app(made), made, port))
    finally:
        aside.close()
        engine.dispose()


def _prepare(chosen: Settings, engine: Engine) -> None:
    """Checks index and rights, and deletes what is not kept any longer."""
    check(engine)
    _refuse_lacking(chosen)
    delete_expired(engine, chosen, now_ms())


def _refuse_lacking(chosen: Settings) -> None:
    """Raises NoRightError with the rights that are missing.

    Without this a missing right would show only when somebody has to act.
    """
    wanted = [it for it in permissions(chosen) if it.role == "console"]

    async def ask() -> None:
        async with asyncio.timeout(RIGHTS_SECONDS):
            await refuse_lacking(chosen, wanted)

    try:
        asyncio.run(ask())
    except (KafkaAbsentError, KafkaError, OSError, TimeoutError) as error:
        why = str(error) or "Kafka takes too long"
        echo_error(f"the pages are served, but nothing can be sent now: {why}")


def _sender(chosen: Settings) -> Any:
    """Returns the function that sends values to an input, from a thread without an event loop."""

    def send(topic: Any, values: list[dict[str, Any]], now: int) -> Sent:
        return asyncio.run(send_values(chosen, topic, values, now / 1000))

    return send


def _asker(chosen: Settings) -> Any:
    """Returns the function that asks Kafka for an input's ends, from a thread without a loop."""

    async def ask(topic: str) -> dict[int, int]:
        try:
            async with asyncio.timeout(ENDS_SECONDS), consumer(chosen) as client:
                reader = Reader(client, chosen.topic_prefix)
                await reader.find([topic])
                found = await reader.high_watermarks(reader.of(topic))
        except MissingTopicsError as error:
            raise UsageError(f"{error}: `byline topics create` makes them") from None
        except (KafkaError, TimeoutError) as error:
            raise KafkaAbsentError(str(error) or "Kafka takes too long") from None
        return {it.partition: end for it, end in found.items()}

    return lambda topic: asyncio.run(ask(topic))


async def _serve(app: Any, made: "Console", port: int) -> None:
    """Serves until SIGTERM or SIGINT. Raises UsageError if the port cannot be opened."""
    import socket

    from streams.console.connections import server_of

    host = made.settings.http_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(f"--port {port}: {error.strerror}") from error
    server = server_of(app)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    bound = listener.getsockname()
    echo(f"open http://{host if ':' not in host else f'[{host}]'}:{bound[1]}/")
    waiting = asyncio.ensure_future(stopping.wait())
    deleting = asyncio.ensure_future(keep_deleting(made.engine, made.settings, now_ms))
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    with suppress(SystemExit):
        await serving
    waiting.cancel()
    deleting.cancel()
