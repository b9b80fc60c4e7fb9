"""What is known of one partition: accounts, brakes, policies in force, what is due."""

from streams.operate.audit.life import Account, Brakes
from streams.operate.audit.lineup import Lineup
from streams.operate.audit.overdue import Overdue
from streams.operate.audit.records import Record
from streams.operate.audit.terms import Terms


class Partition:
    """One partition of every topic: its accounts, its brakes, what is due."""

    def __init__(self, number: int) -> None:
        self.lineup = Lineup(number)
        self.accounts: dict[str, Account] = {}
        self.brakes = Brakes()
        self.present: dict[str, Terms] = {}
        self.touched: dict[str, Account] = {}
        self.newest: dict[str, Record] = {}
        self.overdue = Overdue()

    def account(self, key: str) -> Account:
        """What is known of an account."""
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account(key)
        self.touched[key] = found
        return found
