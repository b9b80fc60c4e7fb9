"""All that is known of one account: its state, what counts for its partition, and what was said.

The same whether it comes from the index or from Kafka.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.core.model.account import AccountRef
from streams.operate.account_states import CHANGELOG, Known, States
from streams.operate.audit.records import Record

LISTED = ("events", "decisions", "words", "letters", "acks")
"""The tables of the index that have rows of an account."""


@dataclass(slots=True)
class Material:
    """All data that an explanation uses.

    `state`: the newest record of the account in the changelog; None where it is not tracked.
    `as_of`: all that Kafka held then counts; None where nobody knows. `behind`: how many records
    were still to be read. `whole`: the topics were read to their ends; `hidden`: why not.
    `acknowledged`: enforcing systems say what they do, so that silence of theirs means something.
    """

    account: str
    partition: int
    source: Literal["index", "kafka"]
    as_of: int | None
    behind: int = 0
    whole: bool = True
    hidden: str = ""
    state: Record | None = None
    remains: Record | None = None
    states: States = field(default_factory=States)
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    switches: list[Mapping[str, Any]] = field(default_factory=list)
    policies: dict[str, int] = field(default_factory=dict)
    """Digest of a policy to where it lies in its topic."""
    acknowledged: bool = False

    @property
    def ref(self) -> AccountRef:
        """The account."""
        return AccountRef.of(self.account.encode())

    def known(self, now: int) -> Known | None:
        """The account and what a decision about it would be made with; None: not tracked."""
        if self.state is None or self.state.value is None:
            return None
        return self.states.of(self.account.encode(), self.partition, self.state.value, now)

    def take_policy(self, record: Record) -> None:
        """A record of the topic of policies."""
        self.policies[(record.key or b"").decode()] = record.offset
        self.states.feed(record)

    def take_state(self, record: Record, remains: bytes) -> None:
        """A record of the changelog: the account's, its remains', or one of its partition."""
        key = record.key or b""
        if key == self.account.encode():
            self.state = record if record.value is not None else None
        elif key == remains:
            self.remains = record if record.value is not None else None
        elif key[:1] == b"#":
            self.states.feed(record._replace(topic=CHANGELOG))
