"""Planted breaches that need an event which no core told: a restriction or a consent too many."""

from collections.abc import Callable
from typing import Any

from tests.operate.planted import Planted, edit, forge, in_turn, reword, sooner

HOUR = 3_600_000
APPLIED, GRANTED, WITHDRAWN = "throttle.applied", "consent.granted", "consent.withdrawn"


def _older(account_id: str, by: int, **event: Any) -> Callable[..., Any]:
    """The grant that was taken (it names its notice) is older by so much."""
    wanted = {"account_id": account_id, "notice_version": "1"}
    return in_turn(
        reword("consent-answers", sooner("occurred_at", by), **wanted),
        edit(GRANTED, sooner("answered_at", by), **wanted, **event),
    )


FORGED = [
    Planted(
        "restricted in the transaction that told the consent",
        "restricted_after_end",
        forge(APPLIED, beside=GRANTED, account_id="a10", of="a9"),
    ),
    Planted(
        "restricted because the consent was withdrawn",
        "restricted_by_withdrawal",
        forge(APPLIED, beside=WITHDRAWN, account_id="a1", of="a9"),
    ),
    Planted(
        "the same surface restricted a second time",
        "restricted_twice",
        forge(APPLIED, beside=APPLIED, account_id="a9", of="a9"),
    ),
    Planted(
        "a grant from before a withdrawal that was told while the notice lay open",
        "consent_after_withdrawal",
        _older("e4", 4 * HOUR),
        "withdrawn",
    ),
    Planted(
        "a grant from before a withdrawal that was told between two invitations",
        "consent_after_withdrawal",
        _older("e2", 60 * 24 * HOUR, cycle=2),
        "withdrawn",
    ),
]
