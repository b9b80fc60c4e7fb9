"""Finds the records that prove a sentence of an explanation; of several, the newest."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.enums import Command, Deferral, Switch
from streams.core.limits.switches import EVERYWHERE
from streams.explain.material import Material
from streams.explain.sentences import Place

Row = Mapping[str, Any]
CHANGELOG = "accounts-changelog"


def of_row(row: Row, topic: str | None = None) -> Place:
    """Returns the place of an index row's record. `topic`: for tables without that column."""
    return Place(topic or row["topic"], row["partition"], row["offset"])


def origin_of(letter: Row) -> Place:
    """Returns the place of the record that a dead letter is about."""
    return Place(letter["topic"], letter["origin_partition"], letter["origin_offset"])


def of_state(material: Material) -> tuple[Place, ...]:
    """Returns the place of the account's newest record in the changelog, if it has one."""
    record = material.state or material.remains
    if record is None:
        return ()
    return (Place(CHANGELOG, record.partition, record.offset),)


def of_policy(material: Material, digest: str | None) -> tuple[Place, ...]:
    """Returns the place of the record of the policy with this digest, if it is known."""
    offset = None if digest is None else material.policies.get(digest)
    return () if offset is None else (Place("policies", 0, offset),)


def of_event(material: Material, name: str, cycle: int, mode: str) -> tuple[Place, ...]:
    """Returns the place of the newest event of this name in a cycle, if there is one."""

    def fits(row: Row) -> bool:
        return bool((row["event"], row["cycle"], row["mode"]) == (name, cycle, mode))

    return _newest(material.tables.get("events", []), fits)


def of_ground(material: Material, ground: Deferral) -> tuple[Place, ...]:
    """Returns the places of the records that defer adverse events on this ground.

    It is a switch, a control or an unclear word (a record of an owner or operator that could not be
    applied); for other grounds the account's state.
    """
    if ground is Deferral.REFUSALS:
        return _switch(material, Switch.REFUSALS_SETTLED, on=False)
    if ground in _SWITCHES:
        return _switch(material, Switch(ground), on=True)
    command = _COMMANDS.get(ground)
    if command is not None:
        return _newest(
            material.tables.get("words", []),
            lambda row: row["topic"] == "controls" and row["word"] == command,
        )
    if ground is Deferral.UNCLEAR_ANSWER:
        refused = material.tables.get("letters", [])
        ignored = _newest(
            material.tables.get("decisions", []), lambda row: row["ignored"] == "unclear"
        )
        places = tuple(Place("decisions", it.partition, it.offset) for it in ignored)
        return (*places, *(origin_of(it) for it in refused[-1:]))
    return of_state(material)


_SWITCHES = frozenset(
    {
        Deferral.ADVERSE_OFF,
        Deferral.INVITATIONS_OFF,
        Deferral.THROTTLES_OFF,
        Deferral.ANSWERS_PAUSED,
    }
)
_COMMANDS = {
    Deferral.HOLD: Command.HOLD,
    Deferral.APPEAL: Command.APPEAL_OPENED,
    Deferral.APPEAL_UPHELD: Command.APPEAL_UPHELD,
}


def _switch(material: Material, switch: Switch, on: bool) -> tuple[Place, ...]:
    said = '"on":true' if on else '"on":false'
    scopes = (f'"scope":"{material.ref.platform}"', f'"scope":"{EVERYWHERE}"')

    def fits(row: Row) -> bool:
        text = row["value"]
        return row["word"] == switch and said in text and any(it in text for it in scopes)

    return _newest(material.switches, fits)


def _newest(rows: list[Row], fits: Callable[[Row], bool]) -> tuple[Place, ...]:
    """Returns the place of the last row that fits, if any. Rows without a topic are decisions."""
    for row in reversed(rows):
        if fits(row):
            return (of_row(row, row.get("topic") or "decisions"),)
    return ()
