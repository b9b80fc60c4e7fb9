"""Pages to change accounts and switches: form, preview with counts, send, approve, undo."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from schemas.enums import Command, ControlReason, Switch
from streams.console import orders, proposals, settling, zones
from streams.console.orders import CONTROLS, SWITCHES, Wish
from streams.console.outdated import (
    ends_protection,
    known_up_to,
    refuse_outdated,
    refuse_overtaking,
)
from streams.console.pages import letters
from streams.console.progress import progress, turned_since, undoing
from streams.console.proposals import PROPOSED_FOR_MS, Proposal, State
from streams.console.render import page
from streams.console.settling import LETTERS
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import rfc3339
from streams.index import tables
from streams.index.database import reading, writing
from streams.index.fresh import freshness
from streams.log_events import event
from streams.operate.bulk import ENDS_NO_HOLD
from streams.operate.errors import OperateError
from streams.serve.roles import Role

COMMANDS = tuple(it.value for it in Command)
MOST_ROWS = 200
_log = logging.getLogger("streams.console")


def form(asked: PageRequest) -> Response:
    """Shows the form of a control on accounts, or of a switch."""
    what = asked.path("what")
    if what not in (CONTROLS, SWITCHES):
        raise PageRefusal(404, "error.missing")
    with reading(asked.console.engine) as connection:
        platforms = sorted(set(connection.scalars(select(tables.policies.c.platform))))
    accounts = asked.request.query_params.getlist("account")
    values = {
        "what": what,
        "commands": COMMANDS,
        "command": asked.query("command"),
        "accounts": accounts,
        "reasons": tuple(it.value for it in ControlReason),
        "switches": tuple(it.value for it in Switch),
        "word": asked.query("switch"),
        "scopes": ["*", *platforms],
        "scope": asked.query("scope"),
        "on": asked.query("on") or "on",
    }
    return page(asked, "order.html", values)


def preview(asked: PageRequest) -> Response:
    """Counts whom an order concerns, and keeps it; sends nothing."""
    what = asked.path("what")
    if what == CONTROLS:
        wish = _control(asked)
    elif what == SWITCHES:
        if asked.said("on") not in ("on", "off"):
            raise PageRefusal(400, "error.choice")
        turn = asked.said("on") == "on"
        wish = orders.switch(asked.said("switch"), asked.said("scope"), turn, asked.said("reason"))
    elif what == LETTERS:
        wish = letters.wish_of(asked)
    else:
        raise PageRefusal(404, "error.missing")
    return _kept(asked, wish, {})


def _control(asked: PageRequest) -> Wish:
    named = [word for text in asked.form.get("account", []) for word in re.split(r"[\s,]+", text)]
    times = {name: _time(asked, name) for name in ("until", "expires_at")}
    return orders.control(
        asked.said("command"),
        [it for it in named if it],
        asked.said("reason"),
        asked.actor,
        asked.now,
        **times,
        appeal_id=asked.said("appeal_id") or None,
    )


def _time(asked: PageRequest, name: str) -> str | None:
    text = asked.said(name)
    if not text:
        return None
    try:
        return rfc3339(zones.instant(text, asked.view.zone))
    except ValueError:
        raise PageRefusal(400, "error.time") from None


def _kept(
    asked: PageRequest, wish: Wish, more: dict[str, Any], own: Mapping[int, int] = {}
) -> Response:
    """Keeps a preview. `own`: the ends of what this person sent, which he knows in any case."""
    if wish.topic == LETTERS:
        try:
            counts = settling.dry_run(asked.console, wish, asked.actor, asked.now)
        except OperateError as error:
            raise PageRefusal(503, "error.kafka_asked", why=str(error)) from None
    else:
        seen = known_up_to(asked, wish)
        seen |= {it: max(end, seen.get(it, 0)) for it, end in own.items()}
        more = {**more, "seen": seen}
        with reading(asked.console.engine) as connection:
            faults = orders.refused(connection, wish, asked.actor, asked.now)
            if faults:
                raise PageRefusal(400, "error.order", why="; ".join(faults[:10]))
            counts = orders.counted(connection, wish, asked.actor, asked.now)
    name = proposals.prepare(asked.console.engine, asked.actor, wish, {**counts, **more}, asked.now)
    return RedirectResponse(f"/proposals/{name}", 303)


def _found(asked: PageRequest) -> Proposal:
    with reading(asked.console.engine) as connection:
        found = proposals.find(connection, asked.path("id"))
    # Only the person who made a preview may see it. Proposals are for all who may see accounts.
    if found is None or (found.state is State.PREPARED and found.actor != asked.actor):
        raise PageRefusal(404, "error.missing")
    return found


def show(asked: PageRequest) -> Response:
    """Shows a proposal: its counts, what can be done with it, and how far the workers are."""
    found = _found(asked)
    settings = asked.console.settings
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        underway = proposals.underway(connection, found.wish, asked.now, found.id)
        far = None
        if found.state is State.SENT and found.wish.topic == LETTERS:
            far = settling.shown_settled(connection, found)
        elif found.state is State.SENT:
            ends = {int(name): end for name, end in found.outcome.get("ends", {}).items()}
            topic = settings.topic_prefix + found.wish.topic
            far = progress(connection, topic, ends, found.wish.topic == SWITCHES)
    mine = found.actor.casefold() == asked.actor.casefold()
    values = {
        "it": found,
        "expired": found.expired(asked.now),
        "progress": far,
        "underway": underway,
        "needs_approval": settings.require_approvals and found.wish.wants_approval,
        "may_send": asked.has(Role.OPERATOR) and mine,
        "may_decide": asked.has(Role.APPROVER) and not mine,
        "may_undo": asked.has(Role.OPERATOR) and found.wish.can_be_undone,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "proposal.html", values)


def listed(asked: PageRequest) -> Response:
    """Shows what was proposed and sent, the newest first."""
    with reading(asked.console.engine) as connection:
        found = proposals.newest(connection, MOST_ROWS)
    waiting = [it for it in found if it.state is State.PROPOSED and not it.expired(asked.now)]
    rest = [it for it in found if it not in waiting]
    return page(asked, "proposals.html", {"waiting": waiting, "rest": rest})


def send(asked: PageRequest) -> Response:
    """Sends what its maker previewed; where a second person is required, proposes it."""
    found = _found(asked)
    if found.actor != asked.actor:
        raise PageRefusal(403, "error.not_yours")
    if found.state is State.SENDING:
        return _sent_again(asked, found)
    if asked.console.settings.require_approvals and found.wish.wants_approval:
        until = asked.now + PROPOSED_FOR_MS
        refuse_outdated(asked, found.wish, found.seen)
        _moved(asked, found, State.PREPARED, State.PROPOSED, expires_at=until)
        return _shown(found)
    return _decided(asked, found, State.PREPARED)


def approve(asked: PageRequest) -> Response:
    """Approves what another person proposed, and sends it."""
    found = _of_another(asked)
    if found.state is State.SENDING and found.decided_by == asked.actor:
        return _sent_again(asked, found)
    if not _may_order(asked, found.actor):
        raise PageRefusal(409, "error.maker", actor=found.actor)
    return _decided(asked, found, State.PROPOSED)


def _may_order(asked: PageRequest, actor: str) -> bool:
    """Whether the roles file still lets a person give orders."""
    holders = asked.console.roles().values()
    return any(it.actor == actor and Role.OPERATOR in it.roles for it in holders)


def decline(asked: PageRequest) -> Response:
    """Refuses what another person proposed."""
    found = _of_another(asked)
    columns = {"decided_at": asked.now, "decided_by": asked.actor}
    _moved(asked, found, State.PROPOSED, State.DECLINED, **columns)
    return _shown(found)


def _of_another(asked: PageRequest) -> Proposal:
    found = _found(asked)
    if found.actor.casefold() == asked.actor.casefold():
        raise PageRefusal(403, "error.yourself")
    return found


def undo(asked: PageRequest) -> Response:
    """Prepares the order that takes a sent one back; that is previewed and sent like any other."""
    found = _found(asked)
    wish = found.wish
    if found.state is not State.SENT or not wish.can_be_undone:
        raise PageRefusal(409, "error.undo")
    if wish.topic == SWITCHES:
        own = found.outcome["ends"]["0"]
        with reading(asked.console.engine) as connection:
            since = turned_since(connection, wish, own)
        if since is not None:
            key = "error.turned_on" if since.on else "error.turned_off"
            raise PageRefusal(409, key, actor=since.actor)
        back = orders.switch(wish.word, wish.scope, not wish.on, wish.reason)
        return _kept(asked, back, {}, {0: own})
    sent = wish.values(found.actor, found.decided_at or asked.now, found.approved_by)
    with reading(asked.console.engine) as connection:
        plan = undoing(connection, wish.accounts, {it["control_id"] for it in sent}, asked.now)
    if plan is None:
        raise PageRefusal(409, "error.not_yet")
    left = plan.left_by_reason()
    if not plan.accounts:
        raise PageRefusal(409, "error.undo_left", why="; ".join(left))
    bulk_id = None if wish.bulk_id is None else f"undo-{wish.bulk_id}"[:128]
    word, named = Command.UNHOLD.value, plan.accounts
    back = orders.control(word, named, _why_back(wish), asked.actor, asked.now, bulk_id=bulk_id)
    return _kept(asked, back, {"left": left})


def _why_back(wish: Wish) -> str:
    """Returns the reason of the unhold that takes a hold back: the hold's own if it ends a hold."""
    ends_none = wish.reason == ENDS_NO_HOLD.value
    return ControlReason.OPERATOR_REQUEST.value if ends_none else wish.reason


def _moved(
    asked: PageRequest, found: Proposal, before: State, after: State, **columns: object
) -> None:
    """Moves a proposal. Raises Refusal if another one did, or its time is over."""
    engine = asked.console.engine
    if not proposals.move(engine, found.id, before, after, asked.now, **columns):
        raise PageRefusal(409, "error.decided")


def _decided(asked: PageRequest, found: Proposal, before: State) -> Response:
    """Fixes the time that the records say, unless another order would be overtaken; sends them."""
    # Of two words of one time the later in the log counts: none that comes from now on has this.
    engine, as_of = asked.console.engine, asked.console.clock() - 1
    refuse_outdated(asked, found.wish, found.seen)
    with writing(engine) as connection:
        proposals.alone(connection)
        refuse_overtaking(connection, found, as_of)
        now = as_of if ends_protection(found.wish) else asked.console.clock()
        columns = {"decided_at": now, "decided_by": asked.actor}
        columns["outcome"] = json.dumps(proposals.claimed(found.outcome, now))
        if not proposals.moved(connection, found.id, before, State.SENDING, asked.now, **columns):
            raise PageRefusal(409, "error.decided")
    return _sent(asked, replace(found, decided_at=now, decided_by=asked.actor))


def _sent_again(asked: PageRequest, found: Proposal) -> Response:
    """Sends the same records again: the console or Kafka stopped while it sent them."""
    if not proposals.claim(asked.console.engine, found.id, asked.console.clock()):
        raise PageRefusal(409, "error.claimed")
    return _sent(asked, found)


def _sent(asked: PageRequest, found: Proposal) -> Response:
    """Sends a decided proposal's records, and notes the outcome; without Kafka nothing changes."""
    issued_at = found.decided_at or asked.now
    try:
        if found.wish.topic == LETTERS:
            outcome = settling.carry_out(asked.console, found, issued_at)
        else:
            outcome = _outcome(asked, found, issued_at)
    except Exception as error:
        proposals.release(asked.console.engine, found.id)
        if not isinstance(error, OperateError):
            raise
        _log.error("proposal %s was not sent: %s", found.id, error, extra=event("order_not_sent"))
        raise PageRefusal(503, "error.kafka", why=str(error)) from None
    if "fault" in outcome:
        proposals.note(asked.console.engine, found.id, State.FAILED, outcome)
        return _shown(found)
    proposals.note(asked.console.engine, found.id, State.SENT, outcome)
    asked.console.counting.orders(found.wish.word, outcome["count"])
    said = (asked.actor, found.actor, found.wish.word, outcome["count"], found.id)
    _log.info(
        "%s sent (prepared by %s): %s, %d records, proposal %s", *said, extra=event("order_sent")
    )
    return _shown(found)


def _outcome(asked: PageRequest, found: Proposal, issued_at: int) -> dict[str, Any]:
    """Sends controls or a switch; returns the ends of what was sent, or the fault."""
    values = found.wish.values(found.actor, issued_at, found.approved_by)
    sent = asked.console.send(found.wish.topic, values, asked.now)
    if sent.refused:
        fault = "; ".join(str(it.rejection) for it in sent.refused[:10])
        return {**found.outcome, "fault": fault}
    ends = {str(partition): end for partition, end in sent.ends.items()}
    return {**found.outcome, "ends": ends, "count": sent.count}


def _shown(found: Proposal) -> Response:
    return RedirectResponse(f"/proposals/{found.id}", 303)
