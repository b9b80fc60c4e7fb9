"""`byline audit`: checks the invariants and the decision log's hash chain from the topics alone."""

import asyncio
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from prometheus_client import CollectorRegistry, start_http_server

from streams.cli.bare import renamed
from streams.cli.chain import audited, verify_chain
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.times import time_of
from streams.operate.audit.auditor import Auditor
from streams.operate.audit.records import Breach
from streams.operate.audit.run_audit import Span, audit_topics, moved, unjudged
from streams.operate.audit.service import AuditMetrics
from streams.operate.errors import UsageError
from streams.settings import Settings
from streams.settings_checks import id_key

SHOWN = 200
"""How many rows the printed table has; --json has all."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(context_settings=renamed(from_number="from-record"))(audit)


def audit(
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339; default: all.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; default: now.")] = None,
    chain: Annotated[
        bool, typer.Option("--chain", help="Verify the hash chain of the decision log.")
    ] = False,
    head: Annotated[
        bool,
        typer.Option("--head", help="Verify the chain and print its head, to be kept elsewhere."),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="What --head --json printed once: is the log still the same up to it?"),
    ] = None,
    from_record: Annotated[
        int,
        typer.Option(min=1, help="Of the chain: from this number of each partition on."),
    ] = 1,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until SIGTERM, with metrics on --port.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the metrics.")] = 9465,
    require_approvals: Annotated[
        bool,
        typer.Option(
            "--require-approvals",
            help="Ask two people for policies and bulks; default: BYLINE_REQUIRE_APPROVALS.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check from the topics alone that nobody was restricted by mistake: exit 1 on a breach.

    It shares no code with the core, reads committed records only, and writes nothing.
    """
    chosen = settings()
    if require_approvals:
        chosen = chosen.model_copy(update={"require_approvals": True})
    if chain or head or against is not None:
        if follow or start or end:
            raise UsageError("--chain, --head and --against go with --from-record only")
        verify_chain(chosen, from_record, head, against, as_json)
    if from_record > 1:
        raise UsageError("--from-record goes with --chain: --from and --to take times")
    span = Span(time_of("--from", start), time_of("--to", end))
    if follow:
        if end is not None:
            raise UsageError("--follow has no end: leave --to out")
        _follow(chosen, span, port)
    found: list[Breach] = []
    done = asyncio.run(_audit(chosen, span, found))
    _tell(found, done, as_json)


def _tell(found: list[Breach], done: Auditor, as_json: bool) -> NoReturn:
    """Prints the result and exits: 1 after a breach, 2 if something could not be judged."""
    counts = {"decisions": done.decisions_seen, "events": done.events_seen}
    left_out = unjudged(done)
    if as_json:
        ok = not found and not done.hidden and not left_out
        breaches = [it.as_dict() for it in found]
        counts |= {"digests_skipped": done.digests_skipped}
        left: dict[str, Any] = {"unjudged": dict(sorted(done.unjudged.items()))}
        left |= {"undated": [it.place for it in done.undated], "older": done.older}
        echo_json({"ok": ok, **counts, "breaches": breaches, **left, "hidden": done.hidden})
    else:
        _table(found, whole=not left_out)
        echo(f"{done.decisions_seen} decisions and {done.events_seen} events judged")
        if done.digests_skipped:
            count = done.digests_skipped
            echo(f"{count} digests of refused records not checked: made under another ID_KEY")
        if done.older:
            echo(f"{done.older} events before --from are older than all that is left of the log")
    explained = moved(found)
    if explained is not None:
        echo_error(explained)
    for words in [done.hidden] if done.hidden else left_out:
        echo_error(words)
    raise typer.Exit(1 if found else 2 if done.hidden or left_out else 0)


def _table(found: list[Breach], *, whole: bool) -> None:
    rows = [it.as_dict() for it in found[:SHOWN]]
    if rows:
        columns = ("invariant", "breach", "account", "at", "detail")
        shown = [(*(row[name] for name in columns), " ".join(row["records"])) for row in rows]
        echo_table((*columns, "records"), shown)
    if len(found) > SHOWN:
        echo(f"… and {len(found) - SHOWN} more; --json has all")
    for name, count in Counter(it.name for it in found).most_common():
        echo_error(f"{count} × {name}")
    if not found:
        echo("no breach" if whole else "no breach in what could be judged")


def _follow(chosen: Settings, span: Span, port: int) -> None:
    registry = CollectorRegistry()
    metrics = AuditMetrics(registry)
    try:
        server, _ = start_http_server(port, addr=chosen.http_host, registry=registry)
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}") from error

    def found(breaches: list[Breach]) -> None:
        metrics.found(breaches)
        for it in breaches:
            echo_error(f"{it.as_dict()['at']} {it.name} {it.account} {' '.join(it.places)}")

    latest: list[str] = []
    said: set[str] = set()

    def progress(auditor: Auditor) -> None:
        metrics.progress(auditor)
        latest[:] = unjudged(auditor)

    def caught_up(instant: float) -> None:
        metrics.caught_up(instant)
        for words in latest:
            if words not in said:
                echo_error(words)
            said.add(words)

    async def run() -> None:
        following = asyncio.ensure_future(
            _audit(
                chosen,
                span,
                found,
                follow=True,
                progress=progress,
                caught_up=caught_up,
            )
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, following.cancel)
        with suppress(asyncio.CancelledError):
            await following

    echo(f"following; metrics at http://{chosen.http_host}:{server.server_port}/metrics")
    asyncio.run(run())
    raise typer.Exit(0)


async def _audit(chosen: Settings, span: Span, found: Any, **options: Any) -> Any:
    take = found.extend if isinstance(found, list) else found
    async with audited(chosen) as client:
        return await audit_topics(
            client,
            chosen.topic_prefix,
            span,
            take,
            require_approvals=chosen.require_approvals,
            id_key=id_key(chosen),
            partitions=chosen.partitions,
            **options,
        )
