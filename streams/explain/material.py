"""The data of an explanation: an account's state, its partition's own state, and its records.

It has the same form whether it comes from the index or from Kafka.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.core.model.account import AccountRef
from streams.index.fresh import Fresh
from streams.operate.account_states import CHANGELOG, Known, States
from streams.operate.audit.records import Record

LISTED = ("events", "decisions", "words", "letters", "acks")
"""The tables of the index that have rows of an account."""


@dataclass(slots=True)
class Material:
    """All data that an explanation uses.

    `as_of` (ms): it has every record that Kafka had then; None: not known. `behind`: how many
    records were still to be read. `whole`: the topics were read to their ends; `hidden`: why not.
    `state`: the account's newest record in the changelog; None: the workers have no state of it.
    `remains`: what they keep of a closed account, under a digest of its key. `states`: the
    partition's own state. `tables`: the account's rows, by name in LISTED. `switches`: rows of all
    switches. `acknowledged`: some enforcing system has acknowledged events, so silence means
    something.
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
    read: int = 0
    """How many records were read into an index that is being filled."""
    unreadable: int = 0
    """How many records of state, the account's or its partition's own, that nobody can read."""
    policies: dict[str, int] = field(default_factory=dict)
    """Digest of a policy → the offset of its record."""
    acknowledged: bool = False

    @property
    def ref(self) -> AccountRef:
        """The account's platform and id."""
        return AccountRef.of(self.account.encode())

    def late(self, now: int) -> bool:
        """Returns whether it is from an index that is old at `now` (ms), or was never whole."""
        return self.source == "index" and Fresh(self.as_of, self.behind, 0).late(now)

    def known(self, now: int) -> Known | None:
        """Returns the account with the context of a decision at `now` (ms); None: no state."""
        if self.state is None or self.state.value is None:
            return None
        return self.states.of(self.account.encode(), self.partition, self.state.value, now)

    def take_policy(self, record: Record) -> None:
        """Takes a record of the topic of policies."""
        self.policies[(record.key or b"").decode()] = record.offset
        self.states.feed(record)

    def take_state(self, record: Record, remains: bytes) -> None:
        """Takes a record of the changelog if it is the account's, or of its partition's own state.

        `remains`: the key under which the workers keep what is left of a closed account.
        """
        key = record.key or b""
        if key == self.account.encode():
            self.state = record if record.value is not None else None
        elif key == remains:
            self.remains = record if record.value is not None else None
        elif key[:1] == b"#":
            self.states.feed(record._replace(topic=CHANGELOG))
