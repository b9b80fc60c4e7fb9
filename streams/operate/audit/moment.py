"""The context that each check of an event receives: the record, the account, the policy."""

from dataclasses import dataclass
from typing import Any

from streams.operate.audit.account_state import AuditedAccount
from streams.operate.audit.records import Record
from streams.operate.audit.switch_log import SwitchLog
from streams.operate.audit.terms import AuditedTerms

Finding = tuple[str, str, tuple[str, ...]]
"""A breach before it is reported: its name in RULES, a detail, the places of further records."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The record of an event, and the state at the point of the log where it was published.

    `terms`: the policy that the event names. `present`: the policy in force. `switch_log`: switches
    that the decision log says were obeyed. `switches`: switches that had been read by then.
    `facts` and `decision_place`: of the decision that lists the event, if there is one. `whole`:
    the topics were read from their beginning. `require_approvals`: a policy in enforce needs two
    people. `edition`: 1 or 2, that of the contract. `refusals`: the place of the record that says
    that the refusal guard is tripped. `changed`: that of the record that says that the cluster
    changed. `out_of_turn`: only favourable timers may act here. `pauses`: intervals (ms) in which a
    change of the cluster stopped the clock of the answer.
    """

    record: Record
    account: AuditedAccount
    platform: str
    terms: AuditedTerms | None
    present: AuditedTerms | None
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
