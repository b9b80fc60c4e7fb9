"""Runs the life of a test case through the core, and collects the events."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from schemas.enums import Mode
from schemas.inputs import InputName
from schemas.topics import DEAD_LETTERS, DECISIONS
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.lives.expectation import Published
from streams.lives.overlay import Blocks
from streams.lives.partition import SentBox, SimulatedPartition
from streams.lives.suite import Case

Row = tuple[str, str, str]
"""A row of the state machines: machine, state before, input."""
Policies = Callable[[Blocks], Policy]


class LeadingOutcome(NamedTuple):
    """The result: events in order, rows of the state machines taken, and the refused inputs.

    `refused`: how many, by topic, reason and field.
    """

    events: list[Published]
    rows: set[Row]
    refused: Counter[str]


class _LedTransition(msgspec.Struct):
    machine: str
    from_state: str
    input: str


class _LedDecision(msgspec.Struct):
    transitions: list[_LedTransition] = []


_decisions = msgspec.json.Decoder(_LedDecision)
_events = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode


def lead(case: Case, policies: Policies | None = None) -> LeadingOutcome:
    """Runs one case. Raises StopWorker if a worker would stop.

    `policies`: returns the policy for blocks; default: the case's own policies.
    """
    return _Leading(case, policies or case.policy.under).run()


class _Leading:
    def __init__(self, case: Case, policies: Policies) -> None:
        self._case, self._policies = case, policies
        self._platform = case.policy.platform
        first = policies(case.under)
        begin = min(case.start, case.steps[0][0])
        self._sent, named = SentBox(), {self._platform: first}
        self._partition = SimulatedPartition(named, self._sent, begin, count=case.partitions)
        self._outcome = LeadingOutcome([], set(), Counter())
        self._invited: dict[str, str] = {}
        self._controls = 0

    def run(self) -> LeadingOutcome:
        partition = self._partition
        for number, (at, step) in enumerate(self._case.steps):
            if number == self._case.given_count:
                self._take()
                self._outcome.events.clear()
            # Inputs of an instant are read before its timers act.
            partition.until(at, inclusive=False)
            if "policy" in step:
                partition.take_up({self._platform: self._policies(step["policy"])})
            self._take()
            inputs = list(self._inputs(step, at))
            if inputs:
                partition.put(inputs)
            partition.until(at)
        if len(self._case.steps) == self._case.given_count:
            self._take()
            self._outcome.events.clear()
        partition.until(self._case.until)
        self._take()
        return self._outcome

    def _take(self) -> None:
        for sent in self._sent.taken():
            if sent.topic == DECISIONS.name:
                found = _decisions.decode(sent.value or b"{}").transitions
                self._outcome.rows.update((it.machine, it.from_state, it.input) for it in found)
            elif sent.topic == DEAD_LETTERS.name:
                letter = _events.decode(sent.value or b"{}")
                words = (letter["topic"].rpartition(".")[2], letter["reason"], letter["field"])
                self._outcome.refused[" ".join(filter(None, words))] += 1
            elif sent.topic != "switches":
                event = _events.decode(sent.value or b"{}")
                self._outcome.events.append(event)
                if event["mode"] == Mode.ENFORCE:
                    self._invited[event["account_id"]] = event["invitation_id"]

    def _inputs(
        self, step: Mapping[str, Any], at: int
    ) -> Iterator[tuple[InputName, bytes | None, bytes | None]]:
        if "switch" in step:
            scope, name = self._platform, step["switch"]
            word = {
                "scope": scope,
                "switch": name,
                "on": step.get("on", True),
                "actor": "test",
                "reason": "test",
                "issued_at": self._said(step, at),
            }
            yield "switches", f"{scope}:{name}".encode(), _encode(word)
        account = step.get("account", self._case.account)
        many = step.get("accounts")
        for one in [account] if many is None else [f"{account}-{n + 1}" for n in range(many)]:
            yield from self._of_account(step, at, one)

    def _of_account(
        self, step: Mapping[str, Any], at: int, account: str
    ) -> Iterator[tuple[InputName, bytes | None, bytes | None]]:
        key = f"{self._platform}:{account}".encode()
        about = {"platform": self._platform, "account_id": account}
        said = self._said(step, at)
        if "change" in step:
            value = {**about, "change": step["change"], "observed_at": said}
            yield "account-changes", key, _encode(value)
        if "receipt" in step:
            value = {
                **about,
                "invitation_id": self._invitation(account),
                "outcome": step["receipt"],
                "occurred_at": said,
            }
            if "failure" in step:
                value["failure"] = step["failure"]
            yield "notice-receipts", key, _encode(value)
        if "answer" in step:
            value = {**about, "answer": step["answer"], "occurred_at": said}
            if "notice_version" in step:
                value["notice_version"] = step["notice_version"]
            if step.get("names_invitation"):
                value["invitation_id"] = self._invitation(account)
            yield "consent-answers", key, _encode(value)
        if "control" in step:
            yield "controls", key, _encode({**about, **self._control(step, said)})
        observed = self._observed(step, at)
        if "label" in step:
            value = {**about, "category": step["label"], "observed_at": observed}
            if "valid_until" in step:
                value["valid_until"] = rfc3339(self._case.moments.at(step["valid_until"]))
            yield "category-changes", key, _encode(value)
        if "unlabel" in step:
            yield "category-changes", key, None
        if "followers" in step:
            value = {**about, "followers": step["followers"], "observed_at": observed}
            if "cause" in step:
                value["cause"] = step["cause"]
            yield "follower-counts", key, _encode(value)
        if "refused" in step:
            yield step["refused"], key, b"{}"

    def _control(self, step: Mapping[str, Any], said: str) -> dict[str, Any]:
        self._controls += 1
        value = {
            "control_id": f"test-{self._controls}",
            "command": step["control"],
            "actor": "test",
            "reason": step.get("reason", "test"),
            "issued_at": said,
        }
        for name in ("until", "expires_at"):
            if name in step:
                value[name] = rfc3339(self._case.moments.at(step[name]))
        return value

    def _invitation(self, account: str) -> str:
        known = self._invited.get(account)
        return known or invitation_id(self._platform, account, Mode.ENFORCE, 1)

    def _said(self, step: Mapping[str, Any], at: int) -> str:
        return rfc3339(self._case.moments.at(step["said_at"]) if "said_at" in step else at)

    def _observed(self, step: Mapping[str, Any], at: int) -> str:
        return rfc3339(self._case.moments.at(step["observed_at"]) if "observed_at" in step else at)
