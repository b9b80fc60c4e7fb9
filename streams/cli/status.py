"""`byline status`: prints on one page what an operator on call needs to know."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import typer
from aiokafka.errors import KafkaError

from schemas.enums import Event
from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.cli.source import FromKafka, from_topics, index_engine, now_ms
from streams.core.model.instants import DAY, rfc3339
from streams.core.model.policy import Policy
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.overview import Overview, overview
from streams.index.refused import Wanted, counted
from streams.index.states import feed_beside, feed_watched, partition_count
from streams.operate.account_states import CHANGELOG, POLICIES
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.blocked import Blocked, blocked
from streams.operate.clients import consumer
from streams.operate.errors import KafkaAbsentError, NoRightError, OperateError, UsageError
from streams.operate.live import Live, live
from streams.operate.worklists import WorkList, WorkLists
from streams.policies import PolicyFaults, load_policies
from streams.policies.scalars import parse_duration
from streams.settings import Settings

BLOCKED_SECONDS = 10.0
"""A producer's transaction in an input that is open for longer than this is listed."""

LISTS: tuple[WorkList, ...] = ("undeliverable", "unconfirmed", "unclear", "pending", "appeals")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="status")(show)


def show(kafka: FromKafka = False, as_json: AsJson = False) -> None:
    """Show workers, lag, blocked topics, switches, guards, caps, policies and open work.

    The state comes from the index if that is whole and not old, else from Kafka; workers and lag
    come from the broker. Exit 1 if a partition has no worker, 2 if that may not be seen or only an
    old index says what is in force, else 0.
    """
    chosen, now = settings(without_policies=True), now_ms()
    source, lists, refused, old = _state(chosen, kafka, now)
    found = overview(lists.states, _on_disk(chosen), now)
    work = {which: len(lists.rows(which, now, _within(chosen, which))) for which in LISTS}
    seen, why = _live(chosen)
    hidden, untold = _blocked(chosen, now)
    if as_json:
        blocked = {"error": untold} if hidden is None else [asdict(it) for it in hidden]
        plain = _plain(source, found, work, refused, seen, str(why))
        echo_json({**plain, "blocked": blocked, "known": not old})
    else:
        _print(source, found, work, refused, now, old=old)
        _print_live(seen, str(why), now)
        _print_blocked(hidden, untold)
    if isinstance(why, NoRightError) or old:
        raise typer.Exit(2)
    raise typer.Exit(0 if seen is None or _served(seen) else 1)


RefusedCounts = list[tuple[str | None, str, str, int]] | None
"""Platform, topic, reason and number of refused records; None: only the index counts them."""


def _state(chosen: Settings, kafka: bool, now: int) -> tuple[str, WorkLists, RefusedCounts, bool]:
    """Returns a sentence on the source, the state, the refused records, and whether it is old.

    An index that is old does not know what is in force now, so the topics are read. If Kafka does
    not answer, what the index had is returned, and that it is old.
    """
    lists, refused, late = WorkLists(), None, False
    with index_engine(chosen, kafka) as engine:
        if engine is None:
            asyncio.run(_feed(chosen, lists))
            return from_topics(kafka), lists, None, False
        with reading(engine) as connection:
            fresh = freshness(connection)
            source, late = fresh.text(now), fresh.late(now)
            lists.states.partition_count = partition_count(connection)
            feed_beside(connection, lists.feed)
            feed_watched(connection, lists.feed)
            refused = counted(connection, Wanted(start=now - DAY, settled=False))
    if not late:
        return source, lists, refused, False
    anew = WorkLists()
    try:
        asyncio.run(_feed(chosen, anew))
    except (OperateError, KafkaError):
        return source, lists, refused, True
    return f"{from_topics(kafka=True)} ({source})", anew, None, False


def _within(chosen: Settings, which: WorkList) -> int:
    return parse_duration(chosen.unconfirmed_after) if which == "unconfirmed" else DAY


def _on_disk(chosen: Settings) -> Mapping[str, Policy]:
    """Loads the policy files; returns none if they are refused (`byline policy check` says why)."""
    try:
        return load_policies(chosen.policies, require_approvals=False)
    except PolicyFaults:
        return {}


def _live(chosen: Settings) -> tuple[Live | None, OperateError | str]:
    """Returns what Kafka says of the workers; None and the reason if it does not say."""
    try:
        return asyncio.run(live(chosen)), ""
    except (KafkaAbsentError, NoRightError) as error:
        return None, error
    except KafkaError as error:
        return None, f"Kafka says {type(error).__name__}: may this principal look at the group?"


def _blocked(chosen: Settings, now: int) -> tuple[list[Blocked] | None, str]:
    """Returns the inputs that an open transaction hides; None and the reason if Kafka won't say."""
    try:
        return asyncio.run(blocked(chosen, now, BLOCKED_SECONDS)), ""
    except OperateError as error:
        return None, str(error)


def _served(seen: Live) -> bool:
    has = {number for member in seen.members for number in member.partitions}
    return {lag.partition for lag in seen.lags} <= has


async def _feed(chosen: Settings, lists: WorkLists) -> None:
    try:
        async with consumer(chosen) as client:
            async for record in read_to_end(client, f"{chosen.application_id}-", [CHANGELOG]):
                lists.feed(record)
            async for record in read_to_end(client, chosen.topic_prefix, [POLICIES]):
                lists.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error


def _plain(
    source: str,
    found: Overview,
    work: Mapping[WorkList, int],
    refused: RefusedCounts,
    seen: Live | None,
    why: str,
) -> dict[str, Any]:
    names = ("platform", "topic", "reason", "count")
    letters = None if refused is None else [dict(zip(names, it, strict=True)) for it in refused]
    workers: dict[str, Any] = {"error": why}
    if seen is not None:
        lags = [{**it._asdict(), "waiting_since": _time(it.waiting_since)} for it in seen.lags]
        workers = {
            "group": seen.state,
            "members": [it._asdict() for it in seen.members],
            "partitions": lags,
        }
    said = {"source": source, **found.as_dict(), "waiting_for_people": dict(work)}
    return {**said, "refused_in_a_day": letters, "workers": workers}


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _print(
    source: str,
    found: Overview,
    work: Mapping[WorkList, int],
    refused: RefusedCounts,
    now: int,
    *,
    old: bool,
) -> None:
    echo(f"{rfc3339(now)[:19]}Z, {source}")
    echo("")
    if old:
        echo("Not known: what is in force now, and what waits. Below is what the old index had.")
    if found.holding:
        echo("In force")
        columns = ("what", "scope", "since", "until", "partitions")
        of = found.partitions
        echo_table(
            columns,
            (
                (it.what, it.scope, it.since, it.until, f"{it.partitions} of {of}")
                for it in found.holding
            ),
        )
    elif not old:
        echo("No brake is on, no guard is tripped.")
    echo("")
    echo("Policies")
    echo_table(
        ("platform", "version", "digest", "partitions", "file here"),
        (
            (it.platform, it.version, it.digest[:12], it.partitions, it.on_disk)
            for it in found.running
        ),
    )
    if found.caps:
        echo("")
        echo("Caps, this day and hour")
        rows = ((it.platform, _cap(it.event), it.used, it.cap) for it in found.caps)
        echo_table(("platform", "of", "used", "cap"), rows)
    echo("")
    echo("Waiting for people: " + ", ".join(f"{count} {name}" for name, count in work.items()))
    if refused is None:
        echo("Refused records: only an index that is not old counts them.")
    elif not refused and not old:
        echo("No refused record of the last 24 hours is unsettled.")
    elif refused:
        echo("Refused in the last 24 hours, and not settled")
        echo_table(("platform", "topic", "reason", "count"), refused)


def _cap(event: str) -> str:
    return "invitations a day" if event == Event.INVITATION_ISSUED else "throttles an hour"


def _print_live(seen: Live | None, why: str, now: int) -> None:
    echo("")
    if seen is None:
        echo(f"Workers: unknown. {why}")
        return
    echo(f"Workers: {len(seen.members)}, group {seen.state}")
    if seen.members:
        rows = ((it.name, it.host, " ".join(map(str, it.partitions))) for it in seen.members)
        echo_table(("worker", "host", "partitions"), rows)
    late = [it for it in seen.lags if it.behind]
    if late:
        echo_table(
            ("partition", "records behind", "the first waits for"),
            ((it.partition, it.behind, _waits(it.waiting_since, now)) for it in late),
        )
    else:
        echo("All inputs are read.")
    if not _served(seen):
        echo("Partitions without a worker: their inputs wait. Start `byline worker`.")
    if any(it.behind for it in seen.strays):
        numbers = " ".join(str(it.partition) for it in seen.strays if it.behind)
        echo(f"Nobody reads partitions {numbers}, which were added later: `byline cluster reroute`")


def _waits(since: int | None, now: int) -> str | None:
    return None if since is None else f"{max(0, now - since) / 1000:,.1f} s"


def _print_blocked(hidden: list[Blocked] | None, untold: str) -> None:
    if hidden is None:
        echo(f"Blocked topics: unknown. {untold}")
    elif not hidden:
        echo("No input is hidden by an open transaction.")
    else:
        echo("Inputs that an open transaction hides; `byline topics blocked` says what to do")
        columns = (
            "topic",
            "partition",
            "hidden",
            "producer_id",
            "transactional_id",
            "open_seconds",
        )
        echo_table(columns, ([getattr(it, name) for name in columns] for it in hidden))
