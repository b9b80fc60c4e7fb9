"""Errors of the index's database, and who has to act.

OperateError
└── IndexFault          the database cannot be used as it is: the operator must act (exit 2)
    ├── SchemaFault     its tables are those of another version of Byline
    ├── NoIndexFault    there is no index yet
    ├── UnreadFault     it has never read all topics since it was made or rebuilt
    ├── HistoryFault    it contains records that Kafka does not: a topic was recreated or cut
    └── DatabaseAway    it does not answer, is locked or full; `--follow` waits and tries again
LostLeadError           another indexer has written: start again from the positions in the database
"""

from streams.operate.errors import OperateError


class IndexFault(OperateError):
    """The database of the index cannot be used as it is; the message says what to do."""


class SchemaFault(IndexFault):
    """The tables are those of another version of Byline."""


class NoIndexFault(IndexFault):
    """There is no index yet: `byline index` has never run."""


class UnreadFault(IndexFault):
    """The index is being filled or rebuilt: what it has is part, and its numbers are too low."""


class HistoryFault(IndexFault):
    """The index has records that Kafka does not have at these offsets."""


class DatabaseAway(IndexFault):
    """The database does not answer, is locked by another program, or is full.

    `kind`: which of these: `away`, `locked` or `full`.
    """

    def __init__(self, says: str, kind: str = "away") -> None:
        super().__init__(says)
        self.kind = kind


class LostLeadError(Exception):
    """Another indexer has changed the positions meanwhile; nothing was written."""
