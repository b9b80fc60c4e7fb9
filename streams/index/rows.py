"""The rows of one transaction of the database, gathered before any is written."""

from typing import Any

Row = tuple[Any, ...]


class Rows:
    """What records have become, by table; where a later record replaces an earlier, the later."""

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
        """Account, partition and offset of each decision that finds it closed."""

    def cycle(self, account: str, invitation_id: str) -> dict[str, Any]:
        """The columns that these records fill of an invitation."""
        return self.cycles.setdefault((account, invitation_id), {})
