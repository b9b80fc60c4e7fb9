"""What can be wrong with the index's database, and who has to act.

OperateError
└── IndexFault          the database cannot be used as it is: the operator's (exit 2)
    ├── SchemaFault     it was made by another version of Byline
    ├── NoIndexFault    there is no index yet
    ├── HistoryFault    it holds what Kafka does not: a topic was made anew or cut
    └── DatabaseAway    it does not answer, is locked or full: whoever follows waits and tries again
LostLeadError           somebody else has written: begin again from the positions that are there
"""

from streams.operate.errors import OperateError


class IndexFault(OperateError):
    """The database of the index cannot be used as it is; the message says what to do."""


class SchemaFault(IndexFault):
    """The tables are those of another version."""


class NoIndexFault(IndexFault):
    """Nothing was indexed yet."""


class HistoryFault(IndexFault):
    """The index and Kafka tell different histories."""


class DatabaseAway(IndexFault):
    """The database does not answer, is locked by somebody else, or is full; says which."""


class LostLeadError(Exception):
    """Another indexer has moved the positions in between; nothing was written."""
