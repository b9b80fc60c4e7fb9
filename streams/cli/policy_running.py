"""`byline policy check --running`: compares policy files with what the partitions work under."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import typer

from streams.cli.output import echo, echo_json, echo_table
from streams.cli.source import from_topics, index_engine, now_ms
from streams.core.model.policy import Policy
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.states import feed_beside, partition_count
from streams.operate.account_states import CHANGELOG, POLICIES, RESERVED, States
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.policy_running import SAYS, RunningDifference, Runs, compare
from streams.settings import Settings


def show_running(chosen: Settings, files: Mapping[str, Policy], kafka: bool, as_json: bool) -> None:
    """Prints how each file compares with what runs, and exits: 0 if all are the same, else 1.

    An index that is behind proves nothing about what runs now: the topics are read instead.
    """
    source, states, late = running_states(chosen, kafka)
    if late:
        behind = source
        source, states, _ = running_states(chosen, kafka=True)
        source = f"{source} ({behind})"
    found = compare(states, files)
    same = all(it.runs is Runs.SAME for it in found)
    if as_json:
        echo_json({"ok": same, "source": source, "policies": [it.as_dict() for it in found]})
        raise typer.Exit(0 if same else 1)
    echo(source)
    echo_table(
        ("platform", "file", "runs", "how"),
        ((it.platform, _file(it), _running(it, states.partition_count), it.runs) for it in found),
    )
    for it in found:
        if it.runs is not Runs.SAME:
            echo(f"{it.platform}: {SAYS[it.runs]}")
            for difference in it.differences:
                echo(f"  {difference}")
    raise typer.Exit(0 if same else 1)


def _file(it: RunningDifference) -> str | None:
    return None if it.digest is None else f"{it.version} {it.digest[:12]}"


def _running(it: RunningDifference, count: int) -> str | None:
    shown = (
        f"{one.version} {one.digest[:12]} in {one.partitions} of {count}" for one in it.running
    )
    return ", ".join(shown) or None


class RunningStates(NamedTuple):
    """What each partition works under. `late`: the source is an index that is behind."""

    source: str
    states: States
    late: bool = False


def running_states(chosen: Settings, kafka: bool) -> RunningStates:
    """Returns a sentence on the source, and what each partition works under.

    `kafka`: read Kafka even if there is an index. Raises UsageError if topics are missing,
    KafkaAbsentError, IndexFault.
    """
    states = States()
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            asyncio.run(_feed(chosen, states))
            return RunningStates(from_topics(kafka), states)
        with reading(engine) as connection:
            states.partition_count = partition_count(connection)
            feed_beside(connection, states.feed)
            fresh, now = freshness(connection), now_ms()
            return RunningStates(fresh.text(now), states, fresh.late(now))


async def _feed(chosen: Settings, states: States) -> None:
    """Reads the partitions' own state from the changelog, and the policies."""
    try:
        async with consumer(chosen) as client:
            async for record in read_to_end(client, f"{chosen.application_id}-", [CHANGELOG]):
                states.partition_count = max(states.partition_count, record.partition + 1)
                if record.key in RESERVED:
                    states.feed(record)
            async for record in read_to_end(client, chosen.topic_prefix, [POLICIES]):
                states.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
