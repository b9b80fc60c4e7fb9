"""Finds restrictions, invitations and consents that should have ended some time ago.

They end because a restriction expires, an account has been below its line for `leave_after`, a
label is over, or a policy withdraws a phase, surface, mode or notice.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from streams.operate.audit.account_state import AuditedAccount, AuditedCycle, AuditedRestriction
from streams.operate.audit.records import MINUTE, Breach, Record, iso, places
from streams.operate.audit.terms import MODES, AuditedTerms

GRACE_MS = 10 * MINUTE
"""How long (ms) a running worker may delay a favourable event.

It counts from the first transaction after the due instant, because no worker may run before it.
"""

Kind = Literal["ends", "left", "label", "policy", "notice"]
SAYS: dict[Kind, str] = {
    "ends": "",
    "left": "below the line for as long as the policy says",
    "label": "the label is over",
    "notice": "a new notice asks everybody anew",
    "policy": "the policy has no such phase, surface or mode any more",
}
NAMES: dict[Kind, str] = {"ends": "outlived_its_end", "notice": "consent_not_voided"}


class OverdueWatch(NamedTuple):
    """An end that is due at `at` (ms) for the account `key`. `place`: the record that set it."""

    at: int
    key: str
    kind: Kind
    surface: str
    place: str


class Overdue:
    """The ends that are due in one partition, and a check that they were published."""

    def __init__(self) -> None:
        self._coming: list[OverdueWatch] = []
        self._passed: list[tuple[int, OverdueWatch]] = []

    def watch(self, at: int, key: str, kind: Kind, place: str, surface: str = "") -> None:
        """Notes that the restriction of `surface` ends at `at` (ms).

        An empty surface means all restrictions of the account, and its open invitations.
        """
        heapq.heappush(self._coming, OverdueWatch(at, key, kind, surface, place))

    def late(
        self,
        now: int,
        accounts: Mapping[str, AuditedAccount],
        present: Mapping[str, AuditedTerms],
        end: Record,
    ) -> Iterator[Breach]:
        """Yields a breach for each end that has been due for GRACE_MS and was not published.

        `now` is the time (ms) of the transaction, `end` its record, `present` the policies in force
        by platform.
        """
        while self._coming and self._coming[0].at < now:
            self._passed.append((now, heapq.heappop(self._coming)))
        kept = []
        for seen, it in self._passed:
            account = accounts.get(it.key)
            terms = present.get(it.key.partition(":")[0])
            stays = [] if account is None else _stays(account, it, terms)
            if stays and now >= seen + GRACE_MS:
                name = NAMES.get(it.kind, "not_lifted")
                if name == "not_lifted" and stays[0].startswith("invitations"):
                    name = "not_cancelled"
                detail = f"{SAYS[it.kind] or it.surface}, due {iso(it.at)}"
                yield Breach(name, it.key, now, detail, places(*stays, it.place, end))
            elif stays:
                kept.append((seen, it))
        self._passed = kept


def _stays(account: AuditedAccount, it: OverdueWatch, present: AuditedTerms | None) -> list[str]:
    """Returns the places of the restrictions, else of the invitations, that should have ended."""
    if it.kind == "notice":
        given = (cycle for cycle in account.cycles.values() if cycle.state == "GRANTED")
        return [it.place for cycle in given if _outdated(cycle, it, present)]
    if it.kind == "left" and (account.below_since is None or account.left_at != it.at):
        return []
    if it.kind == "label" and it.at not in (account.label_until, account.label_over_at):
        return []
    held = [
        held.place
        for cycle in account.cycles.values()
        for name, held in cycle.active.items()
        if it.surface in ("", name) and _concerned(it, cycle, name, held, present)
    ]
    return held or [cycle.place for cycle in account.open_cycles() if _open(it, cycle, present)]


def _open(it: OverdueWatch, cycle: AuditedCycle, present: AuditedTerms | None) -> bool:
    """Returns whether an open invitation without a restriction should have ended."""
    if it.surface or cycle.active or cycle.terms is None or cycle.issued_at >= it.at:
        return False
    return it.kind in ("left", "label") or (it.kind == "policy" and gone(cycle, present))


def _outdated(cycle: AuditedCycle, it: OverdueWatch, present: AuditedTerms | None) -> bool:
    """Whether a consent is to an older notice than the one in force, which needs a new consent."""
    if present is None or not present.renew or cycle.place != it.place:
        return False
    return cycle.consented != present.notice_version


def _concerned(
    it: OverdueWatch,
    cycle: AuditedCycle,
    surface: str,
    held: AuditedRestriction,
    present: AuditedTerms | None,
) -> bool:
    match it.kind:
        case "ends":
            after = None if present is None else present.expires_after
            milder = after is not None and held.effective_at + after <= it.at
            return held.place == it.place and (milder or held.expires_at <= it.at)
        case "policy":
            return held.effective_at < it.at and withdrawn(cycle, surface, held, present)
        case _:
            return held.effective_at < it.at


def withdrawn(
    cycle: AuditedCycle, surface: str, held: AuditedRestriction, present: AuditedTerms | None
) -> bool:
    """Returns whether the policy in force has dropped this restriction's surface, phase or mode."""
    if present is None or cycle.terms is None or held.mode != "enforce":
        return False
    return surface not in present.levels or gone(cycle, present)


def gone(cycle: AuditedCycle, present: AuditedTerms | None) -> bool:
    """Returns whether the phase of a cycle in enforce is withdrawn, or no longer enforced."""
    if present is None or cycle.mode != "enforce":
        return False
    if not present.in_force(cycle.phase):
        return True
    strength = min(MODES[present.mode], MODES[present.phases[cycle.phase].mode])
    return strength < MODES["enforce"]
