"""`byline switch …`: turns switches for one platform or for all, and lists those that are on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer

from schemas.enums import ControlReason, Switch
from schemas.inputs import SwitchChange
from streams.cli.bare import renamed
from streams.cli.names import Actor
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.core.limits.switches import EVERYWHERE
from streams.letters.reading import read_letters
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.audit.records import iso, stamp
from streams.operate.clients import consumer
from streams.operate.errors import OperateError, UsageError
from streams.operate.send import Sent, send_values
from streams.operate.switch_reach import (
    CoveredBySwitch,
    Obeyed,
    covered,
    obeyed,
    pulled_before,
    without_effect,
)
from streams.settings import Settings

app = typer.Typer(help="The brakes. Favourable events flow under every one.", no_args_is_help=True)

AFTERWARDS_SECONDS = 60.0
"""How long to look up, after the switch was sent, what it covers and what it changes."""

HELP = {
    Switch.ADVERSE_OFF: "Defer everything adverse; the clock of the answer stops.",
    Switch.INVITATIONS_OFF: "Defer new invitations.",
    Switch.THROTTLES_OFF: "Defer expiries, restrictions and renewals.",
    Switch.ANSWERS_PAUSED: "Answers cannot be given: the clock of the answer stops.",
    Switch.REFUSALS_SETTLED: "On ends a tripped refusal guard: its dead letters are seen to.",
}


class OnOff(StrEnum):
    """Whether a switch is turned on or off."""

    ON = "on"
    OFF = "off"


@dataclass
class Turned:
    """The result of turning a switch."""

    sent: Sent
    covers: CoveredBySwitch | None = None
    obeyed: Obeyed | None = None
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Returns what was looked up as part of the command's JSON."""
        return {
            "covers": None if self.covers is None else self.covers._asdict(),
            "obeyed": None if self.obeyed is None else asdict(self.obeyed),
            "warnings": self.warnings,
        }


_RENAMED = renamed(within="within-seconds")


def _command(switch: Switch) -> Callable[..., None]:
    def run(
        turn: OnOff,
        scope: Annotated[str, typer.Option(help="A platform, or '*' for all.")],
        actor: Actor,
        reason: Annotated[ControlReason, typer.Option(help="Why.")],
        dry_run: Annotated[
            bool,
            typer.Option("--dry-run", help="Say what it would cover; turn nothing."),
        ] = False,
        wait: Annotated[
            bool, typer.Option("--wait", help="Until every partition has obeyed; exit 1 if not.")
        ] = False,
        within_seconds: Annotated[
            float, typer.Option(min=1, help="With --wait: at most so long.")
        ] = AFTERWARDS_SECONDS,
        as_json: AsJson = False,
    ) -> None:
        if wait and dry_run:
            raise UsageError("--wait has nothing to wait for in a --dry-run")
        now = time.time()
        value = {
            "scope": scope,
            "switch": switch.value,
            "on": turn is OnOff.ON,
            "actor": actor,
            "reason": reason.value,
            "issued_at": iso(int(now * 1000)),
        }
        said = _Said(switch, scope, turn, dry_run, as_json)
        done = asyncio.run(
            _turn(settings(without_policies=True), value, said, wait, within_seconds)
        )
        if as_json:
            sent = 0 if dry_run else done.sent.count
            plain = {"sent": sent, "dry_run": dry_run, "warning": done.sent.warning}
            echo_json({**plain, **value, **done.as_dict()})
        slow = done.obeyed is not None and done.obeyed.waiting
        raise typer.Exit(1 if done.sent.refused or slow else 0)

    run.__doc__ = HELP[switch]
    return run


for _each in Switch:
    app.command(name=_each.value.replace("_", "-"), context_settings=_RENAMED)(_command(_each))
    app.command(name=_each.value, hidden=True, context_settings=_RENAMED)(_command(_each))


@dataclass(frozen=True, slots=True)
class _Said:
    """Prints each step for a person as it happens; with JSON only errors and warnings."""

    switch: Switch
    scope: str
    turn: OnOff
    dry_run: bool
    as_json: bool

    @property
    def ends_a_guard(self) -> bool:
        """Whether it says that a person has seen to what was refused."""
        return self.switch is Switch.REFUSALS_SETTLED and self.turn is OnOff.ON

    def turned(self, sent: Sent) -> None:
        if sent.warning is not None:
            echo_error(sent.warning)
        for refused in sent.refused:
            echo_error(str(refused.rejection))
        if not sent.refused and not self.as_json:
            verb = "would be" if self.dry_run else "is"
            echo(f"{self.switch.value} {verb} {self.turn.value} for {self.scope}")

    def looked(self, done: Turned) -> None:
        for warning in done.warnings:
            echo_error(warning)
        if self.as_json:
            return
        if done.covers is not None:
            count = done.covers
            echo(
                f"it covers {count.tracked:,} accounts whose state is kept: {count.invited:,} with"
                f" an open invitation, {count.restricted:,} restricted"
            )
        if done.obeyed is not None:
            self._obeyed(done.obeyed)

    def _obeyed(self, obeyed: Obeyed) -> None:
        if not obeyed.waiting:
            echo(f"all {obeyed.partitions} partitions have obeyed, after {obeyed.seconds:.1f} s")
            return
        numbers = ", ".join(map(str, obeyed.waiting))
        echo_error(
            f"{len(obeyed.waiting)} of {obeyed.partitions} partitions have not read it after"
            f" {obeyed.seconds:.0f} s ({numbers}): is a worker running for each? The switch stands,"
            " they obey it before anything else when they are"
        )


async def _turn(
    chosen: Settings, value: dict[str, Any], said: _Said, wait: bool, within: float
) -> Turned:
    """Sends the switch, then looks up its effect; so a failing look-up cannot delay the switch.

    `within`: how many seconds to `wait` until every partition has obeyed.
    """
    sent = await send_values(chosen, "switches", [value], time.time(), dry_run=said.dry_run)
    said.turned(sent)
    done = Turned(sent)
    if sent.refused:
        return done
    end = sent.ends.get(0)
    try:
        async with consumer(chosen) as client:
            if wait and end is not None:
                done.obeyed = await obeyed(client, chosen, end, within)
            async with asyncio.timeout(AFTERWARDS_SECONDS):
                before = await pulled_before(client, chosen, None if end is None else end - 1)
                done.warnings += without_effect(
                    said.scope, said.switch, said.turn is OnOff.ON, before
                )
                done.covers = await covered(client, chosen, said.scope)
                if said.ends_a_guard:
                    platform = None if said.scope == EVERYWHERE else said.scope
                    open_ones = (await read_letters(client, chosen)).unsettled(platform)
                    done.warnings += [] if open_ones is None else [open_ones]
    except (OperateError, MissingTopicsError, TimeoutError) as error:
        why = str(error) or "Kafka takes too long"
        done.warnings.append(f"what it covers is not known: {why}")
    said.looked(done)
    return done


@app.command(name="list")
def show(as_json: AsJson = False) -> None:
    """List the switches that are on and the tripped refusal guards: scope, since when, by whom."""
    pulled = asyncio.run(_pulled(settings(without_policies=True)))
    running = [
        {**it.model_dump(mode="json"), "issued_at": iso(stamp(it.issued_at))} for it in pulled
    ]
    if as_json:
        echo_json(running)
        return
    columns = ("scope", "switch", "issued_at", "actor", "reason")
    if running:
        echo_table(columns, ((it[name] for name in columns) for it in running))
    else:
        echo("no brake is on")


async def _pulled(chosen: Settings) -> list[SwitchChange]:
    try:
        async with consumer(chosen) as client:
            return await pulled_before(client, chosen, None)
    except MissingTopicsError as error:
        raise UsageError(f"{error}: `byline topics create` makes them") from error
