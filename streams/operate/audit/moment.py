"""The circumstances of one event, as the checks see them."""

from dataclasses import dataclass
from typing import Any

from streams.operate.audit.brakes import Brakes
from streams.operate.audit.life import Account
from streams.operate.audit.records import Record
from streams.operate.audit.terms import Terms

Finding = tuple[str, str, tuple[str, ...]]
"""A breach's name, what was expected, and the records that show it beside the event itself."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An event's record, its account, the policy it names, the present one, and the brakes.

    `brakes` are those that the log says were obeyed, `switches` those that had been read by then.
    `facts` and `decision_place` are of the decision that accounts for it, if one does; `whole` says
    that the topics were read from their beginning; `require_approvals`, that a policy in enforce
    needs two people; `edition`, by which of the contract's the transaction was made. `refusals` and
    `changed` name the records that say why the partition waits, `out_of_turn` that only favourable
    timers may act here; `pauses` are those of the partition.
    """

    record: Record
    account: Account
    platform: str
    terms: Terms | None
    present: Terms | None
    brakes: Brakes
    switches: Brakes
    facts: dict[str, Any]
    decision_place: str
    whole: bool
    require_approvals: bool
    edition: int
    refusals: str | None
    changed: str | None
    out_of_turn: bool
    pauses: tuple[list[int], ...]
