"""The circumstances of one event, as the checks see them."""

from dataclasses import dataclass
from typing import Any

from streams.operate.audit.account_state import Account
from streams.operate.audit.records import Record
from streams.operate.audit.switch_log import SwitchLog
from streams.operate.audit.terms import Terms

Finding = tuple[str, str, tuple[str, ...]]
"""A breach's name, what was expected, and the records that show it beside the event itself."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An event's record, its account, the policy it names, the present one, and the switches.

    `switch_log`: those that the log says were obeyed. `switches`: those that had been read by then.
    `facts` and `decision_place`: of the decision behind it, if there is one. `whole`: the topics
    were read from their beginning. `require_approvals`: a policy in enforce needs two people.
    `edition`: that of the contract under which the transaction was made. `refusals`, `changed`: the
    records that say why the partition waits. `out_of_turn`: only favourable timers may act here.
    `pauses`: those of the partition.
    """

    record: Record
    account: Account
    platform: str
    terms: Terms | None
    present: Terms | None
    switch_log: SwitchLog
    switches: SwitchLog
    facts: dict[str, Any]
    decision_place: str
    whole: bool
    require_approvals: bool
    edition: int
    refusals: str | None
    changed: str | None
    out_of_turn: bool
    pauses: tuple[list[int], ...]
