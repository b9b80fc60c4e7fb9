"""What is fed to the auditor, and what it answers: breaches out of a closed list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


class Record(NamedTuple):
    """A record of a topic (named without its prefix); `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def place(self) -> str:
        """Where it lies: `throttles[3]@17`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Rule(NamedTuple):
    """A kind of breach: the invariant (domain report, section D) and what is wrong, in words."""

    invariant: int
    says: str


RULES: dict[str, Rule] = {
    "restricted_without_notice": Rule(1, "a restriction without a delivered notice of its cycle"),
    "delivery_without_word": Rule(1, "delivered, but no receipt or answer says so"),
    "delivery_backdated": Rule(1, "delivered earlier than the receipt or answer says"),
    "window_cut_short": Rule(1, "less time to answer than the notice gave"),
    "restricted_before_deadline": Rule(1, "expired or restricted before the deadline"),
    "restricted_after_end": Rule(1, "restricted although the cycle had ended or was granted"),
    "answer_overtaken": Rule(1, "restricted although a consent lay in Kafka before the deadline"),
    "deadline_moved_earlier": Rule(2, "a deadline earlier than the one said before"),
    "stopped_clock_ran": Rule(2, "time of a hold, appeal or brake was counted as time to answer"),
    "consent_without_answer": Rule(3, "a consent event without such an answer of the owner"),
    "notice_version_mixed": Rule(3, "a consent to another notice version than was shown"),
    "silence_mistaken": Rule(3, "silence given as refusal, or refusal as silence"),
    "withdrawal_unheeded": Rule(4, "a withdrawal was read and nothing said so"),
    "consent_after_withdrawal": Rule(4, "a consent came back without a newer one of the owner"),
    "restricted_by_withdrawal": Rule(4, "a restriction in a cycle whose consent was withdrawn"),
    "acted_on_untouchable": Rule(5, "an adverse event on an exempt or closed account"),
    "event_twice": Rule(7, "an event id was used twice"),
    "sequence_broken": Rule(7, "the order number does not rise by one"),
    "cycle_opened_twice": Rule(7, "an invitation beside an open one, or with a wrong number"),
    "restricted_twice": Rule(7, "a second restriction on a surface already restricted"),
    "input_applied_twice": Rule(7, "an input acted that an earlier transaction had read"),
    "reads_moved_back": Rule(7, "a transaction says it read less than the one before"),
    "surface_not_at_stake": Rule(9, "a surface that the invitation or the policy does not name"),
    "level_too_strong": Rule(9, "a stronger level than the policy gives the surface"),
    "acts_backwards": Rule(9, "effective before it was decided"),
    "end_too_late": Rule(10, "ends or is reviewed later than the policy says"),
    "renewed_after_end": Rule(10, "a restriction was renewed that had ended already"),
    "lifted_not_ours": Rule(10, "lifts what is not restricted by us"),
    "not_lifted": Rule(10, "the ground is gone and a restriction stayed"),
    "outlived_its_end": Rule(10, "past its end and nothing said so while the worker ran"),
    "grant_unheeded": Rule(10, "a consent was read and nothing said so"),
    "terms_changed": Rule(11, "another policy, line or notice than was pinned at the issue"),
    "phase_not_in_force": Rule(11, "an invitation for a phase that is not in force"),
    "unfit_policy": Rule(11, "enforce under a policy without window, surfaces or assessment"),
    "policy_altered": Rule(11, "a policy whose digest is not that of its text"),
    "acted_during_brake": Rule(13, "an adverse event under a brake"),
    "event_without_decision": Rule(14, "an event that no decision accounts for"),
    "decision_without_event": Rule(14, "a decision names an event that is not there"),
    "decision_differs": Rule(14, "event and decision, or event and its headers, disagree"),
    "invalid_event": Rule(14, "an event that is not as published: a field missing or wrong"),
    "statement_wrong": Rule(14, "the statement of reasons disagrees with the event or the facts"),
    "modes_mixed": Rule(14, "a shadow event on a live topic, or the other way round"),
    "policy_unknown": Rule(14, "an event under a policy that was never published"),
    "acted_during_hold": Rule(15, "an adverse event on an account that people hold"),
    "acted_during_appeal": Rule(15, "an adverse event during an open appeal"),
    "restricted_after_verdict": Rule(15, "the same cycle restricts after a lift or upheld appeal"),
    "unapproved_bulk": Rule(15, "a bulk control acted with one actor alone"),
    "unapproved_policy": Rule(15, "an adverse event in enforce that two people did not approve"),
    "crossed_accounts": Rule(15, "one account's or platform's record acted on another"),
    "chain_broken": Rule(14, "the decision log was changed"),
}
"""Every breach that can be reported."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: its name in RULES, whose account, when (ms), and the records that show it."""

    name: str
    account: str
    at: int
    detail: str
    places: tuple[str, ...]

    @property
    def invariant(self) -> int:
        """The number of the invariant in the domain report, section D."""
        return RULES[self.name].invariant

    def as_dict(self) -> dict[str, Any]:
        """For a program to read."""
        return {
            "invariant": self.invariant,
            "breach": self.name,
            "says": RULES[self.name].says,
            "account": self.account,
            "at": iso(self.at),
            "detail": self.detail,
            "records": list(self.places),
        }


def millis(time: str) -> int:
    """An RFC 3339 time of the wire in milliseconds."""
    return stamp(datetime.fromisoformat(time))


def stamp(moment: datetime) -> int:
    """An instant in milliseconds, cut as the wire cuts it."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def iso(at: int) -> str:
    """Milliseconds as the wire writes them."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def places(*found: "str | Record | None", more: Iterable[str] = ()) -> tuple[str, ...]:
    """The places of records, without repeats, in order."""
    named = [it.place if isinstance(it, Record) else it for it in found if it]
    return tuple(dict.fromkeys([*named, *more]))
