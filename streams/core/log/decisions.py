"""Writes the decision log: what each cause did to each account, in the partition's hash chain.

A *cause* is the input record (topic, offset) or the timer that led to a decision.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.enums import Deferral, Event
from streams.core.inputs.decode import DecodedSwitchChange
from streams.core.inputs.refusal_guard import Trip
from streams.core.log.chain import Chain
from streams.core.log.events import PublishedEvent
from streams.core.model.account import Account
from streams.core.model.change import RowChange
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.model.ports import Transaction
from streams.core.rules.applicable_phase import holding, label_field, upheld
from streams.core.rules.context import DecisionContext
from streams.core.rules.unclear import is_unclear

_HEADERS = (("content-type", b"application/json"),)
EDITION = 2
"""The contract's edition whose rules and order of topics this code follows."""

Cause = dict[str, Any]


class DecisionLog:
    """Writes the decision log of one partition. The chain's end is part of the partition's state.

    `opened_at`: when the partition was opened, in milliseconds UTC. The record of the first
    transaction states it, because a replay must open the partition at the same instant to evaluate
    timers in the same order.
    """

    def __init__(self, partition: int, chain: Chain, opened_at: int) -> None:
        self._partition = partition
        self._opened_at: int | None = opened_at
        self.chain = chain
        self._steps: list[dict[str, Any]] = []
        self._idle = False
        self._cluster_changed_at: int | None = None

    def step(self, now: int, reads: Mapping[str, tuple[int, int]], state_changed: bool) -> None:
        """Notes a step: inputs that were applied together.

        `reads` holds, by topic, the first offset applied and the offset to read next. Adjacent
        steps that changed no state are joined into one, because their order does not matter.
        """
        if self._idle and not state_changed:
            known = self._steps[-1]["reads"]
            for topic, (first, after) in reads.items():
                known[topic] = (known.get(topic, (first, after))[0], after)
        elif reads:
            self._steps.append({"now": rfc3339(now), "reads": dict(reads)})
            self._idle = not state_changed

    def cluster_changed(self, now: int) -> None:
        """Makes every later transaction record state when the cluster was seen to have changed."""
        self._cluster_changed_at, self._idle = now, False

    def timers_run(
        self, now: int, as_of: int, looked: int, more: bool, favourable_only: bool
    ) -> None:
        """Notes a round of timers, for the next transaction record.

        `looked`: how many of the accounts due by `as_of` were evaluated, in due order. `more`: some
        due accounts were left for the next round. `favourable_only`: adverse timers were left out.
        """
        until = rfc3339(as_of)
        step = {"now": rfc3339(now), "as_of": until, "looked": looked, "more": more}
        self._steps.append(step | ({"favourable_only": True} if favourable_only else {}))
        self._idle = False

    def decision(
        self,
        transaction: Transaction,
        account: Account,
        context: DecisionContext,
        cause: Cause,
        changes: Sequence[RowChange],
        published: Sequence[PublishedEvent],
        deferred: Sequence[tuple[Event, list[Deferral]]],
        ignored: str | None,
    ) -> None:
        """Writes what one cause did to one account, or why it did nothing.

        `deferred`: adverse events that were held back, with the reasons. `ignored`: why the input
        did not count, None if it did.
        """
        policy = context.policy
        record = {
            "kind": "decision",
            "platform": context.ref.platform,
            "account_id": context.ref.account_id,
            "policy_version": policy.version if policy else None,
            "policy_digest": policy.digest if policy else None,
            "cause": cause,
            "facts": facts_of(account, context),
            "transitions": [_transition(change) for change in changes],
            "events": [_event(event) for event in published],
            "deferrals": [{"event": event, "by": by} for event, by in deferred],
            "ignored": ignored,
        }
        self._write(transaction, context.ref.key, record, context.now)

    def transaction(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        """Writes the record that ends a transaction: its steps, and how far each input was read.

        `reads` holds, by topic, the offset to read next.
        """
        record = {
            "kind": "transaction",
            "edition": EDITION,
            "opened_at": None if self._opened_at is None else rfc3339(self._opened_at),
            "reads": dict(reads),
            "steps": self._steps,
        }
        if self._cluster_changed_at is not None:
            record["cluster_changed"] = rfc3339(self._cluster_changed_at)
        self._steps, self._idle, self._opened_at = [], False, None
        self._write(transaction, b"#transaction", record, now)

    def policies(self, transaction: Transaction, now: int, policies: Mapping[str, Policy]) -> None:
        """Writes which policies the partition uses from now on."""
        named = {name: f"{policy.version}:{policy.digest}" for name, policy in policies.items()}
        self._write(transaction, b"#policies", {"kind": "policies", "policies": named}, now)

    def switch(
        self,
        transaction: Transaction,
        now: int,
        change: DecodedSwitchChange,
        issued_at: int,
        cause: Cause,
    ) -> None:
        """Writes that a switch was turned."""
        record = {
            "kind": "switch",
            "scope": change.scope,
            "switch": change.switch,
            "on": change.on,
            "reason": change.reason,
            "actor": change.actor,
            "issued_at": rfc3339(issued_at),
            "cause": cause,
        }
        self._write(transaction, b"#switch", record, now)

    def refusal_guard(self, transaction: Transaction, now: int, trip: Trip, cause: Cause) -> None:
        """Writes that this partition tripped the refusal guard of a platform."""
        record = {
            "kind": "refusal_guard",
            "platform": trip.platform,
            "reason": trip.reason,
            "refused": trip.refused,
            "cause": cause,
        }
        self._write(transaction, b"#refusal_guard", record, now)

    def _write(
        self, transaction: Transaction, key: bytes, record: dict[str, Any], now: int
    ) -> None:
        record["partition"] = self._partition
        record["now"] = rfc3339(now)
        transaction.send("decisions", key, self.chain.seal(record), _HEADERS)


def facts_of(account: Account, context: DecisionContext) -> dict[str, Any]:
    """Returns the facts about an account on which a decision was based, for the decision record."""
    # `_name_` is the name of an enum's member, like `name` but without a call.
    label = account.label
    field = label_field(account, context.policy, context.time) if context.policy else None
    return {
        "followers": account.followers,
        "observed_at": _instant(account.observed_at),
        "eligibility": account.eligibility._name_,
        "live": account.live.state._name_,
        "shadow": account.shadow.state._name_,
        "label": None if label is None else label.text,
        "label_source": None if label is None else label.source,
        "label_observed_at": None if label is None else _instant(label.observed_at),
        "field": field,
        "dwell_from": _instant(account.dwell_from),
        "exempt": account.exempt,
        "closed": account.closed,
        "hold": holding(account.hold, context.time),
        "appeal": account.heard is not None and bool(account.heard.appeals),
        "upheld": upheld(account),
        "unclear": is_unclear(account),
    }


def _instant(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _transition(change: RowChange) -> dict[str, Any]:
    return {
        "machine": change.machine,
        "from_state": change.before._name_,
        "input": change.input,
        "to_state": change.after._name_,
        "surface": change.surface,
    }


def _event(event: PublishedEvent) -> dict[str, Any]:
    draft = event.draft
    return {
        "event_id": event.event_id,
        "event": draft.event,
        "mode": draft.mode,
        "sequence": event.sequence,
        "reason": draft.reason,
        "surface": draft.surface,
    }
