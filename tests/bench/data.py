"""What goes in: labels, then counts that rise, and whom a right answer invites.

Everything about an account is reckoned from its number, so that millions of them need no memory.
A count never falls: "covered, and the last count at or above the line" is the right answer whatever
the order in which labels and readings are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from aiokafka.partitioner import murmur2

COVERED = ("财经", "法律", "医疗", "军事", "时政")
OTHER = ("美妆", "游戏", "美食", "体育", "宠物", "旅行")
LINE, FLOOR = 1_000_000, 950_000
LAST_FOLLOWERS = 1_500_000
BIG_RATIO = 0.005
COVERED_RATIO = 0.05
CROSSING_RATIO = 0.0025

Row = tuple[bytes, bytes]
"""Key and value of a record."""


@dataclass(frozen=True)
class DataShape:
    """How a data set looks.

    `tracked`: every account is at or above the floor, so that each reading changes state; otherwise
    one in two hundred is big, half of those covered, and one in twenty of all covered. The last
    reading of every partition invites, so that nobody's position may wait at the end of a backlog.
    """

    name: str
    accounts: int
    readings: int
    partitions: int = 8
    tracked: bool = False

    def scaled(self, scale: float) -> "DataShape":
        """The same with fewer or more accounts."""
        return replace(self, accounts=max(200, int(self.accounts * scale)))

    @property
    def events(self) -> int:
        """Labels and readings in all."""
        return self.accounts * (1 + self.readings) + 2 * self.partitions

    @cached_property
    def expected(self) -> frozenset[str]:
        """The keys of the accounts to be invited."""
        last = self.readings - 1
        found = {
            f"weibo:a{account}"
            for account in range(self.accounts)
            if self.followers(account, last) >= LINE and self.label(account) in COVERED
        }
        return frozenset(found | {f"weibo:{account}" for account in self.last_ones})

    @cached_property
    def last_ones(self) -> tuple[str, ...]:
        """An account in each partition that the last reading there is of."""
        return tuple(
            accounts_in("last", 1, self.partitions, frozenset({number}))[0]
            for number in range(self.partitions)
        )

    def label(self, account: int) -> str:
        """The platform's label of an account."""
        chance, choice = _mixed(account, 1), _mixed(account, 2)
        covered = 0.5 if self.tracked or _share(account) < BIG_RATIO else COVERED_RATIO
        words = COVERED if chance / 2**32 < covered else OTHER
        return words[choice % len(words)]

    def followers(self, account: int, round_: int) -> int:
        """The count of an account in a round of readings."""
        drawn = _mixed(account, 3)
        if self.tracked:
            start = LINE if _share(account) < CROSSING_RATIO else FLOOR
            return start + drawn % 40_000 + round_ * (1 + drawn % 997)
        if _share(account) < BIG_RATIO:
            return 500_000 + drawn % 550_000 + round_ * (_mixed(account, 4) % 120_000)
        small = int(10 ** (2 + 3.6 * drawn / 2**32))
        return min(499_999, small + round_ * (1 + small // 50))

    def labels(self) -> Iterator[Row]:
        """One label an account."""
        for name in self.last_ones:
            yield label_row(name, COVERED[0], "2025-01-01T00:00:00Z")
        for account in range(self.accounts):
            yield label_row(f"a{account}", self.label(account), "2025-01-01T00:00:00Z")

    def rounds(self) -> Iterator[Row]:
        """A reading of every account, in an order of its own, round by round."""
        for round_ in range(self.readings):
            for place in range(self.accounts):
                account = (place * 7_368_787 + round_) % self.accounts
                second = place % 86_400
                at = (
                    f"2025-01-{2 + round_:02d}"
                    f"T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
                )
                yield reading_row(f"a{account}", self.followers(account, round_), at)
        for name in self.last_ones:
            yield reading_row(name, LAST_FOLLOWERS, "2025-02-01T00:00:00Z")


def label_row(account: str, label: str, at: str) -> Row:
    """A category change."""
    value = (
        f'{{"platform":"weibo","account_id":"{account}","category":"{label}","observed_at":"{at}"}}'
    )
    return f"weibo:{account}".encode(), value.encode()


def reading_row(account: str, followers: int, at: str) -> Row:
    """A follower count."""
    value = (
        f'{{"platform":"weibo","account_id":"{account}","followers":{followers},'
        f'"observed_at":"{at}"}}'
    )
    return f"weibo:{account}".encode(), value.encode()


def partition_of(account: str, partitions: int) -> int:
    """Where the Java client's default partitioner puts an account of weibo."""
    return int(murmur2(f"weibo:{account}".encode()) & 0x7FFFFFFF) % partitions


def accounts_in(
    name: str, count: int, partitions: int, chosen: frozenset[int] | None = None
) -> list[str]:
    """`count` account ids that begin with `name` and lie in the chosen partitions (None: any)."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        account = f"{name}{number}"
        if chosen is None or partition_of(account, partitions) in chosen:
            found.append(account)
        number += 1
    return found


def _mixed(account: int, salt: int) -> int:
    """32 bits that look random, always the same for an account and purpose."""
    mixed = (account * 0x9E3779B1 + salt * 0x85EBCA77) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return mixed ^ (mixed >> 15)


def _share(account: int) -> float:
    return _mixed(account, 5) / 2**32
