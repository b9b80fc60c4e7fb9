"""Collects the rows of one transaction of the database before it is written."""

from typing import Any

Row = tuple[Any, ...]


class Rows:
    """The rows by table. In the dictionaries a later record replaces an earlier one of its key."""

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.decisions: list[Row] = []
        self.log: list[Row] = []
        self.words: list[Row] = []
        self.letters: list[Row] = []
        self.settlements: list[Row] = []
        self.acks: list[Row] = []
        self.policies: dict[str, Row] = {}
        self.states: dict[tuple[int, str], Row | None] = {}
        self.cycles: dict[tuple[str, str], dict[str, Any]] = {}
        self.closed: list[tuple[str, int, int]] = []
        """Account, partition and offset of each decision that says that its account is closed."""

    def cycle(self, account: str, invitation_id: str) -> dict[str, Any]:
        """Returns the row of an invitation as a dict by column name; the caller updates it."""
        return self.cycles.setdefault((account, invitation_id), {})
