"""Counts invitations a day and accounts throttled an hour, over all partitions.

Hours and days are those of Asia/Shanghai (schemas/CONTRACT.md, "Caps"). If a cap changed within a
span, its highest value counts. A span is one day or one hour of one platform.
"""

from collections import defaultdict
from collections.abc import Iterator

from schemas.events import InvitationIssued, ThrottleApplied
from streams.operate.audit.records import HOUR, stamp
from streams.operate.audit.terms import AuditedTerms

CHINA_MS = 8 * HOUR
DAY = 24 * HOUR
KEPT = 4
"""How many older spans are kept of a platform and kind: some partitions are judged later."""

Span = tuple[str, str, int]


class AuditedCaps:
    """Counts the cycles that were invited or throttled in enforce, by span."""

    def __init__(self) -> None:
        self._seen: dict[Span, set[str]] = defaultdict(set)
        self._cap: dict[Span, int] = {}
        self._told: set[Span] = set()

    def take(self, event: object, terms: list[AuditedTerms]) -> Iterator[str]:
        """Counts an event under these policies; yields one text for a span that exceeds its cap."""
        match event:
            case InvitationIssued(reason="over_line", mode="enforce"):
                span = (event.platform, "day", (stamp(event.decided_at) + CHINA_MS) // DAY)
                caps = [it.invitations_per_day for it in terms]
            case ThrottleApplied(mode="enforce"):
                span = (event.platform, "hour", (stamp(event.decided_at) + CHINA_MS) // HOUR)
                caps = [it.throttles_per_hour for it in terms]
            case _:
                return
        if any(cap is None for cap in caps):
            self._cap[span] = 1 << 62
        self._cap[span] = max([self._cap.get(span, 0), *(cap or 0 for cap in caps)])
        self._seen[span].add(f"{event.account_id} {event.cycle}")
        if len(self._seen[span]) > self._cap[span] and span not in self._told:
            self._told.add(span)
            yield f"{len(self._seen[span])} in a {span[1]}, the cap is {self._cap[span]}"
        self._forget(span)

    def _forget(self, newest: Span) -> None:
        platform, kind, number = newest
        old = [it for it in self._seen if it[:2] == (platform, kind) and it[2] < number - KEPT]
        for span in old:
            del self._seen[span]
            self._cap.pop(span, None)
            self._told.discard(span)
