"""What has to be said some time: ends of restrictions, and stable falls below the line."""

import heapq
from collections.abc import Iterator, Mapping

from streams.operate.audit.life import Account
from streams.operate.audit.records import MINUTE, Breach, Record, iso, places

GRACE_MS = 10 * MINUTE
"""How long a worker that runs may leave something favourable unsaid. It counts from the first
transaction after the due instant: while no worker runs, nobody can speak."""


class Overdue:
    """The due instants of one partition."""

    def __init__(self) -> None:
        self._coming: list[tuple[int, str, str, str]] = []
        self._passed: list[tuple[int, int, str, str, str]] = []

    def watch(self, at: int, key: str, surface: str, place: str) -> None:
        """Surface `surface` of the account ends at `at`; with no surface, all because of a fall."""
        heapq.heappush(self._coming, (at, key, surface, place))

    def late(self, now: int, accounts: Mapping[str, Account], record: Record) -> Iterator[Breach]:
        """What is due for longer than the grace by now."""
        while self._coming and self._coming[0][0] < now:
            self._passed.append((now, *heapq.heappop(self._coming)))
        kept = []
        for seen, at, key, surface, place in self._passed:
            stays = _stays(accounts.get(key), at, surface, place)
            if stays and now >= seen + GRACE_MS:
                name = "outlived_its_end" if surface else "not_lifted"
                what = surface or "below the line for as long as the policy says"
                detail = f"{what}, due {iso(at)}"
                yield Breach(name, key, now, detail, places(*stays, place, record))
            elif stays:
                kept.append((seen, at, key, surface, place))
        self._passed = kept


def _stays(account: Account | None, at: int, surface: str, place: str) -> list[str]:
    """The restrictions that should be gone and are still there."""
    if account is None or (not surface and account.below_since is None):
        return []
    return [
        it.place
        for cycle in account.cycles.values()
        for name, it in cycle.active.items()
        if (it.place == place if surface else it.effective_at < at) and surface in ("", name)
    ]
