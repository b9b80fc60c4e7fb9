"""The circumstances of one event, as the checks see them."""

from dataclasses import dataclass
from typing import Any

from streams.operate.audit.life import Account, Brakes
from streams.operate.audit.records import Record
from streams.operate.audit.terms import Terms

Finding = tuple[str, str, tuple[str, ...]]
"""A breach's name, what was expected, and the records that show it beside the event itself."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An event's record, its account, the policy it names, the present one, and the brakes.

    `facts` and `decision_place` are of the decision that accounts for it, if one does; `whole` says
    that the topics were read from their beginning; `require_approvals`, that a policy in enforce
    needs two people.
    """

    record: Record
    account: Account
    platform: str
    terms: Terms | None
    present: Terms | None
    brakes: Brakes
    facts: dict[str, Any]
    decision_place: str
    whole: bool
    require_approvals: bool
