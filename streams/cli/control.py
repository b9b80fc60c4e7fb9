"""`byline control …`: sends an operator's controls on one or many accounts, and undoes bulks."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.enums import Command, ControlReason
from schemas.topics import DEAD_LETTERS
from streams.cli.bare import renamed
from streams.cli.names import Actor, AppealId, ApprovedBy, BulkId
from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.operate.audit.reading import MissingTopicsError, read_to_end
from streams.operate.bulk import (
    MAX_ACCOUNTS,
    BulkOrder,
    UndoPlan,
    accounts_in,
    checked,
    default_bulk_id,
    refuse_ending_no_hold,
    way_back,
    within,
)
from streams.operate.clients import consumer
from streams.operate.effect import Effect, Ends, changelog_ends, effect, not_known, pointless
from streams.operate.errors import OperateError, UsageError
from streams.operate.lines import name_of
from streams.operate.send import Sent, send_values
from streams.settings import Settings

app = typer.Typer(
    help="An operator's word on accounts: it outranks the machine.", no_args_is_help=True
)

Accounts = Annotated[list[str], typer.Argument(metavar="PLATFORM:ACCOUNT…")]
Reason = Annotated[ControlReason, typer.Option(help="Why.")]
ExpiresAt = Annotated[str | None, typer.Option(help="RFC 3339: when a hold ends by itself.")]
Until = Annotated[str | None, typer.Option(help="RFC 3339: the new deadline of an extension.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Validate only.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, it is only counted.")]
_RENAMED = renamed(at_most="max-accounts")
MaxAccounts = Annotated[int, typer.Option(min=1, help="Refuse when it names more accounts.")]

SHOWN = 20
"""How many accounts that an undo leaves alone are printed; --json has all."""
LOOK_SECONDS = 60.0
ENDS_SECONDS = 5.0
"""How long to ask for the changelog's end before sending; LOOK_SECONDS: for the state after it."""

HELP = {
    Command.HOLD: "Defer everything adverse, until unhold or --expires-at.",
    Command.UNHOLD: "End a hold.",
    Command.LIFT: "Cancel the invitation, or lift what is restricted; this cycle is done.",
    Command.EXTEND: "Give longer to answer: --until.",
    Command.REISSUE: "Show the notice again after it could not be delivered.",
    Command.SETTLE: "End the unclear words of the account: a person has looked at them.",
    Command.APPEAL_OPENED: "The owner appeals: nothing adverse until the verdict.",
    Command.APPEAL_UPHELD: "The owner was right: lift, and never again in this cycle.",
    Command.APPEAL_REJECTED: "The owner was not right: the clock goes on.",
}


def _command(command: Command) -> Callable[..., None]:
    def run(
        accounts: Accounts,
        actor: Actor,
        reason: Reason,
        expires_at: ExpiresAt = None,
        until: Until = None,
        approved_by: ApprovedBy = None,
        bulk_id: BulkId = None,
        appeal_id: AppealId = None,
        max_accounts: MaxAccounts = MAX_ACCOUNTS,
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        order = BulkOrder(
            command, actor, reason, _now(), expires_at, until, approved_by, bulk_id, appeal_id
        )
        _refuse_pointless(order)
        named = within(checked(accounts), max_accounts)
        if len(named) > 1 or bulk_id is not None:
            dry_run = dry_run or not yes
            order = replace(order, bulk_id=bulk_id or default_bulk_id(named, order))
        chosen = settings(without_policies=True)
        ends = _ends_before(chosen)
        sent = _send(chosen, order, named, dry_run)
        _report(sent, order, dry_run, as_json, _looked_up(chosen, sent, order, named, ends))

    run.__doc__ = f"{HELP[command]} More than one account is a bulk: without --yes only counted."
    return run


for _each in Command:
    app.command(name=_each.value.replace("_", "-"), context_settings=_RENAMED)(_command(_each))
    if "_" in _each.value:
        app.command(name=_each.value, hidden=True, context_settings=_RENAMED)(_command(_each))


@app.command(context_settings=_RENAMED)
def bulk(
    file: Annotated[
        Path, typer.Argument(help="A platform:account_id on each line; - is standard input.")
    ],
    command: Annotated[Command, typer.Option(help="What to say of each account.")],
    actor: Actor,
    reason: Reason,
    expires_at: ExpiresAt = None,
    until: Until = None,
    approved_by: ApprovedBy = None,
    bulk_id: BulkId = None,
    appeal_id: AppealId = None,
    max_accounts: MaxAccounts = MAX_ACCOUNTS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send the same control for many accounts. Without --yes only count, and send nothing."""
    order = BulkOrder(
        command, actor, reason, _now(), expires_at, until, approved_by, appeal_id=appeal_id
    )
    _refuse_pointless(order)
    lines = accounts_in(file)
    accounts = within(lines, max_accounts)
    order = replace(order, bulk_id=bulk_id or default_bulk_id(accounts, order))
    chosen = settings(without_policies=True)
    ends = _ends_before(chosen)
    sent = _at_lines(_send(chosen, order, accounts, not yes), file, list(lines.values()))
    found = _looked_up(chosen, sent, order, accounts, ends)
    _report(sent, order, not yes, as_json, found, "line")


def _at_lines(sent: Sent, file: Path, lines: list[int]) -> Sent:
    """Returns the result with the line numbers of the file instead of the accounts' numbers."""
    found = (replace(it, file=name_of(file), line=lines[it.line - 1]) for it in sent.refused)
    return replace(sent, refused=tuple(found))


@app.command(context_settings=_RENAMED)
def undo(
    bulk_id: str,
    actor: Actor,
    reason: Reason,
    approved_by: ApprovedBy = None,
    max_accounts: MaxAccounts = MAX_ACCOUNTS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Undo a bulk of holds by unholds; list accounts where that is impossible. Needs --yes."""
    refuse_ending_no_hold(reason)
    chosen, now = settings(without_policies=True), _now()
    way = asyncio.run(_way_back(chosen, bulk_id, now))
    if not as_json:
        for account, why in way.left[:SHOWN]:
            echo_error(f"{account}: {why}")
        if len(way.left) > SHOWN:
            echo_error(f"… and {len(way.left) - SHOWN:,} more; --json has all")
        for why, count in way.left_by_reason().items():
            echo(f"{count} left alone: {why}")
    if way.command is None or not way.accounts:
        if as_json:
            echo_json({"sent": 0, "left": [list(it) for it in way.left]})
        else:
            echo("nothing can be taken back")
        raise typer.Exit(1)
    accounts = within(way.accounts, max_accounts)
    order = BulkOrder(way.command, actor, reason, now, approved_by=approved_by)
    order = replace(order, bulk_id=f"undo-{bulk_id}"[:128])
    sent = _send(chosen, order, accounts, not yes)
    _report(sent, order, not yes, as_json, left=[list(it) for it in way.left])


async def _way_back(chosen: Settings, bulk_id: str, now: int) -> UndoPlan:
    try:
        async with consumer(chosen) as client:
            read = read_to_end(client, chosen.topic_prefix, ["controls", DEAD_LETTERS.name])
            return way_back([record async for record in read], bulk_id, now)
    except MissingTopicsError as error:
        raise UsageError(str(error)) from error


def _send(chosen: Settings, order: BulkOrder, accounts: list[str], dry_run: bool) -> Sent:
    values = (order.value(account) for account in accounts)
    return asyncio.run(
        send_values(chosen, "controls", values, order.issued_at / 1000, dry_run=dry_run)
    )


def _refuse_pointless(order: BulkOrder) -> None:
    """Exits with 1 if a time makes the command useless for every account. Raises UsageError."""
    order.check()
    try:
        why = pointless(order, order.issued_at)
    except ValueError as error:
        raise UsageError(f"this is no time like 2026-01-31T12:00:00+08:00: {error}") from None
    if why is not None:
        echo_error(f"{why}; nothing was sent")
        raise typer.Exit(1)


def _ends_before(chosen: Settings) -> Ends | str:
    """Returns the changelog's ends before the control is sent, or why they are not known."""

    async def ask() -> Ends:
        async with consumer(chosen) as client, asyncio.timeout(ENDS_SECONDS):
            return await changelog_ends(client, chosen)

    try:
        return asyncio.run(ask())
    except (OperateError, MissingTopicsError, TimeoutError) as error:
        return not_known(str(error) or "Kafka takes too long")


def _looked_up(
    chosen: Settings, sent: Sent, order: BulkOrder, accounts: list[str], ends: Ends | str
) -> Effect | str | None:
    """Looks up, after sending, whether the control can have an effect.

    Returns it, or why it is not known; None if nothing was sent. `ends`: from `_ends_before`.
    """
    if sent.refused:
        return None
    if isinstance(ends, str):
        return ends

    async def look() -> Effect:
        async with consumer(chosen) as client, asyncio.timeout(LOOK_SECONDS):
            return await effect(client, chosen, order, accounts, ends)

    try:
        return asyncio.run(look())
    except (OperateError, MissingTopicsError, TimeoutError) as error:
        return not_known(str(error) or "Kafka takes too long")


def _report(
    sent: Sent,
    order: BulkOrder,
    dry_run: bool,
    as_json: bool,
    found: Effect | str | None = None,
    place: str = "account no.",
    **more: Any,
) -> None:
    """Prints what was sent, or would be; exits with 1 if a control was refused or has no effect.

    If one account is refused, none is sent. `found`: from `_looked_up`. `place`: what the number of
    a refusal counts. `more`: further fields of the JSON.
    """
    for warning in filter(None, [sent.warning, found if isinstance(found, str) else None]):
        echo_error(warning)
    known = found if isinstance(found, Effect) else None
    without = known is not None and known.none
    if as_json:
        refused = [
            {"number": it.line, "reason": it.rejection.reason.value, "detail": it.rejection.words}
            for it in sent.refused
        ]
        said: dict[str, Any] = {
            "command": order.command.value,
            "bulk_id": order.bulk_id,
            "dry_run": dry_run,
        }
        said["warning"] = sent.warning
        said["effect"] = None if known is None else asdict(known)
        echo_json({**said, "count": sent.count, "refused": refused, **more})
        raise typer.Exit(1 if sent.refused or without else 0)
    if sent.refused:
        rows = ((it.line, it.rejection.reason.value, it.rejection.words) for it in sent.refused)
        echo_table((place, "reason", "detail"), rows)
        echo_error(f"{len(sent.refused)} refused, nothing was sent")
        raise typer.Exit(1)
    verb = "would be sent" if dry_run else "sent"
    bulk_words = f", bulk id {order.bulk_id}" if order.bulk_id else ""
    echo(f"{order.command.value}: {sent.count} {verb}{bulk_words}")
    if dry_run and order.bulk_id:
        echo("a dry run: --yes sends them")
    for warning in known.warnings() if known is not None else ():
        echo_error(warning)
    if without:
        echo_error("as far as the workers know it can have no effect")
        raise typer.Exit(1)


def _now() -> int:
    return int(time.time() * 1000)
