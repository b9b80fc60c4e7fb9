"""Limits how often a client may try to sign in with an unknown token."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

WINDOW_MS = 5 * 60_000
MOST_OF_PEER = 10
MOST_IN_ALL = 100
MOST_PEERS = 10_000


@dataclass(slots=True)
class Attempts:
    """The failed attempts of the last WINDOW_MS, by peer and in all. Times are ms."""

    _of: OrderedDict[str, deque[int]] = field(default_factory=OrderedDict)
    _all: deque[int] = field(default_factory=deque)

    def allowed(self, peer: str, now: int) -> bool:
        """Returns whether the peer may try now."""
        mine = self._of.get(peer, deque())
        for times in (mine, self._all):
            while times and times[0] <= now - WINDOW_MS:
                times.popleft()
        return len(mine) < MOST_OF_PEER and len(self._all) < MOST_IN_ALL

    def failed(self, peer: str, now: int) -> None:
        """Notes a failed attempt; of too many peers the oldest is forgotten."""
        self._of.setdefault(peer, deque()).append(now)
        self._of.move_to_end(peer)
        self._all.append(now)
        if len(self._of) > MOST_PEERS:
            self._of.popitem(last=False)
