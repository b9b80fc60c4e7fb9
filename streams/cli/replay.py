"""`byline replay`: runs the core on recorded inputs and compares its output with Kafka's topics."""

import asyncio
import json
import re
import time
from typing import Annotated, Any

import typer

from schemas.enums import ACCOUNT_ID_PATTERN, PLATFORM_PATTERN
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.cli.progress_bar import progress
from streams.cli.source import now_ms
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.errors import UsageError
from streams.replay.partition import PartitionReplay
from streams.replay.records import Difference
from streams.replay.whole import Replayed, replay_all

_ACCOUNT = f"{PLATFORM_PATTERN[1:-1]}:{ACCOUNT_ID_PATTERN[1:-1]}"
SHOWN = 1_500
"""How many characters of a value the terminal shows; --json has all."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(replay)


def replay(
    account: Annotated[
        str | None,
        typer.Option(help="PLATFORM:ACCOUNT; its partition alone, and a digest of its events."),
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="This partition alone; may be repeated.")
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=2, help="Deal the accounts out over so many partitions as well, and compare."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the core on the recorded inputs, as the decision log says, and compare its output.

    Every decision, event and dead letter is compared with Kafka's topics, byte for byte. Nothing is
    sent anywhere. Exit 0: all are identical; 1: something differs; 2: Kafka no longer has what is
    needed, or, with --partitions, a cap or guard deferred something, so that it cannot be compared.
    Two runs over the same topics print the same digests.
    """
    if account is not None and re.fullmatch(_ACCOUNT, account) is None:
        raise UsageError(f"{account} is no account: write platform:account_id, as in weibo:a1")
    began = time.monotonic()
    chosen = settings(without_policies=True)
    try:
        with progress() as show:
            found = asyncio.run(
                replay_all(
                    chosen,
                    now_ms(),
                    show,
                    account=account,
                    numbers=partition or (),
                    other_count=partitions,
                )
            )
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    if as_json:
        echo_json(_plain(found, partitions))
    else:
        _say(found, account, partitions, time.monotonic() - began)
    raise typer.Exit(1 if found.different else 2 if found.lacks else 0)


def _plain(found: Replayed, partitions: int | None) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "identical": not found.different and not found.lacks,
        "partition_count": found.partition_count,
        "partitions": [it.as_dict() for it in found.partitions],
        "switches": found.switches,
        "hidden": found.hidden,
        "altered_policies": found.altered,
    }
    if partitions is not None:
        plain["elsewhere"] = {
            "partition_count": partitions,
            "partitions": [it.as_dict() for it in found.elsewhere],
        }
    return plain


def _say(found: Replayed, account: str | None, partitions: int | None, seconds: float) -> None:
    columns = ("partition", "inputs", "transactions", "decisions", "events", "dead letters")
    rows = [
        (
            *(it.partition, f"{it.inputs:,}", f"{it.transactions:,}", f"{it.decisions:,}"),
            *(f"{it.events:,}", f"{it.dead_letters:,}", _outcome(it), it.sha256),
        )
        for it in found.partitions
    ]
    echo_table((*columns, "outcome", "SHA-256 of the events"), rows)
    for it in found.partitions:
        told = it.of_account is not None and (it.of_account[0] or len(found.partitions) == 1)
        if it.of_account is not None and told:
            echo(f"{account}: {it.of_account[0]} events, SHA-256 {it.of_account[1]}")
        _say_difference(it.difference)
        if it.missing is not None:
            echo_error(f"partition {it.partition} cannot be replayed to its end: {it.missing}")
    for other in found.elsewhere:
        _say_difference(other.difference)
        if other.binds is not None:
            echo_error(
                f"partition {other.partition}, on {partitions} partitions: {other.binds}; what"
                f" follows cannot be compared ({other.events:,} events before are alike)"
            )
    for place in found.altered:
        echo_error(f"{place}: its text is not the one of its digest, which only a forger writes")
    for words in (found.switches, found.hidden):
        if words is not None:
            echo_error(words)
    _say_sum(found, partitions, seconds)


def _say_sum(found: Replayed, partitions: int | None, seconds: float) -> None:
    inputs = sum(it.inputs for it in found.partitions)
    decisions = sum(it.decisions for it in found.partitions)
    events = sum(it.events for it in found.partitions)
    alike = sum(it.identical for it in found.partitions)
    echo(
        f"{inputs:,} inputs, {decisions:,} decisions and {events:,} events replayed in"
        f" {seconds:.1f} s ({inputs / max(seconds, 0.1):,.0f} inputs/s):"
        f" {alike} of {len(found.partitions)} partitions identical, byte for byte"
    )
    if partitions is not None:
        told = sum(it.events for it in found.elsewhere)
        # A replay that ended before the log's end has compared no more than its beginning.
        both = zip(found.partitions, found.elsewhere, strict=True)
        whole = sum(here.identical and not (it.binds or it.difference) for here, it in both)
        echo(
            f"on {partitions} partitions instead of {found.partition_count}: {told:,} events"
            f" compared, {whole} of {len(found.elsewhere)} partitions identical"
        )


def _outcome(it: PartitionReplay) -> str:
    if it.difference is not None:
        return "different"
    return "incomplete" if it.missing is not None else "identical"


def _say_difference(difference: Difference | None) -> None:
    if difference is None:
        return
    echo_error(f"{difference.place}: {difference.why}")
    if difference.written is not None or difference.replayed is not None:
        echo_error(f"  in Kafka: {(difference.written or 'nothing')[:SHOWN]}")
        echo_error(f"  replayed: {(difference.replayed or 'nothing')[:SHOWN]}")
    if _under_another_key(difference):
        echo_error("  it was made under another ID_KEY than the one given: replay it with that one")


def _under_another_key(difference: Difference) -> bool:
    """Whether the two differ in what is made under the setting `ID_KEY`."""
    texts = (difference.written or "null", difference.replayed or "null")
    try:
        written, replayed = (json.loads(text) for text in texts)
    except ValueError:
        return False
    if not isinstance(written, dict) or not isinstance(replayed, dict):
        return False
    return any(written.get(it) != replayed.get(it) for it in ("invitation_id", "digest_key"))
