"""`byline switch …`: the brakes, for one platform or for all, and which are on."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from schemas.topics import DEAD_LETTERS
from schemas.words import ControlReason, Switch
from streams.cli.say import AsJson, complain, say, say_json, say_table, settings
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.audit.records import iso, stamp
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.operate.in_force import Levers
from streams.operate.send import send_values
from streams.settings import Settings

app = typer.Typer(help="The brakes. Favourable events flow under every one.", no_args_is_help=True)

HELP = {
    Switch.ADVERSE_OFF: "Defer everything adverse; the clock of the answer stops.",
    Switch.INVITATIONS_OFF: "Defer new invitations.",
    Switch.THROTTLES_OFF: "Defer expiries, restrictions and renewals.",
    Switch.ANSWERS_PAUSED: "Answers cannot be given: the clock of the answer stops.",
    Switch.REFUSALS_SETTLED: "On ends a tripped refusal guard: its dead letters are seen to.",
}


class Turn(StrEnum):
    """Which way a switch is turned."""

    ON = "on"
    OFF = "off"


def _command(switch: Switch) -> Callable[..., None]:
    def run(
        turn: Turn,
        scope: Annotated[str, typer.Option(help="A platform, or '*' for all.")],
        actor: Annotated[str, typer.Option(help="Who turns it: an opaque id, no name.")],
        reason: Annotated[ControlReason, typer.Option(help="Why.")],
        as_json: AsJson = False,
    ) -> None:
        now = time.time()
        value = {
            "scope": scope,
            "switch": switch.value,
            "on": turn is Turn.ON,
            "actor": actor,
            "reason": reason.value,
            "issued_at": iso(int(now * 1000)),
        }
        chosen = settings(without_policies=True)
        sent = asyncio.run(send_values(chosen, "switches", [value], now))
        if sent.warning is not None:
            complain(sent.warning)
        if as_json:
            say_json({"sent": sent.count, "warning": sent.warning, **value})
        for refused in sent.refused:
            complain(str(refused.rejection))
        if sent.refused:
            raise typer.Exit(1)
        if not as_json:
            say(f"{switch.value} is {turn.value} for {scope}")

    run.__doc__ = HELP[switch]
    return run


for _each in Switch:
    app.command(name=_each.value.replace("_", "-"))(_command(_each))
    app.command(name=_each.value, hidden=True)(_command(_each))


@app.command(name="list")
def show(as_json: AsJson = False) -> None:
    """Which brakes are on, for what, since when and by whom; and where refusals wait."""
    _, pulled = asyncio.run(_levers(settings(without_policies=True))).brakes()
    running = [
        {**it.model_dump(mode="json"), "issued_at": iso(stamp(it.issued_at))} for it in pulled
    ]
    if as_json:
        say_json(running)
        return
    columns = ("scope", "switch", "issued_at", "actor", "reason")
    if running:
        say_table(columns, ((it[name] for name in columns) for it in running))
    else:
        say("no brake is on")


async def _levers(chosen: Settings) -> Levers:
    levers = Levers()
    try:
        async with consumer(chosen) as client:
            names = ["switches", DEAD_LETTERS.name]
            async for record in read_to_end(client, chosen.topic_prefix, names):
                levers.feed(record)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
    return levers
