"""`byline policy history`: lists the versions of policies that ran, and who approved them."""

import asyncio
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from schemas.topics import DECISIONS, POLICIES
from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.cli.source import FromKafka, from_topics, index_engine, now_ms
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.history import TakenUp, history, of_index, taken_up
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.policies.texts import PolicyTexts
from streams.settings import Settings

_KEY = b"#policies"
"""The key of the log's records that say which policies a partition works under."""


def register(app: typer.Typer) -> None:
    """Add the command to the group of policies."""
    app.command(name="history")(show)


def show(
    platform: Annotated[str | None, typer.Argument(help="Of one platform alone.")] = None,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """List the versions that ran: from when to when, in how many partitions, approved by whom.

    It reads the decision log from the index if there is one, else from Kafka.
    """
    chosen = settings(without_policies=True)
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            source = from_topics(kafka)
            lines, texts = asyncio.run(_read(chosen))
        else:
            with reading(engine) as connection:
                source = freshness(connection).text(now_ms())
                lines, texts = of_index(connection)
    found = history(lines, texts, platform)
    if as_json:
        echo_json([it.as_dict() for it in found])
        return
    echo(source)
    columns = ("platform", "version", "digest", "mode", "since", "until", "running", "approved by")
    if found:
        echo_table(
            columns,
            (
                (
                    it.platform,
                    it.version,
                    it.digest[:12],
                    it.mode,
                    it.since,
                    it.until,
                    it.running,
                    ", ".join(f"{actor} {at}" for actor, at in it.approvals) or None,
                )
                for it in found
            ),
        )
    echo(f"{len(found)} versions")


async def _read(chosen: Settings) -> tuple[list[TakenUp], dict[str, bytes]]:
    lines: list[TakenUp] = []
    texts = PolicyTexts()
    try:
        async with consumer(chosen) as client:
            topics = [DECISIONS.name, POLICIES.name]
            async for record in read_to_end(client, chosen.topic_prefix, topics):
                if record.topic == POLICIES.name:
                    texts.feed(record.partition, record.offset, record.key, record.value)
                elif record.key == _KEY:
                    with suppress(msgspec.MsgspecError):
                        lines.append(taken_up(record.partition, record.value or b""))
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return lines, texts.known
