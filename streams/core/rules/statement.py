"""Makes the statement of reasons of a restriction: facts as bands, policy, dates, and redress.

`schemas/statement.py` defines its format; `operate` translates it into Chinese and English.
"""

from bisect import bisect_right
from typing import Any, get_args

from schemas.enums import Ground, Level, Surface
from schemas.statement import Band, Redress
from streams.core.model.account import Account, Life, Throttled
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.rules.applicable_phase import label_field
from streams.core.rules.milder import cycle_exit_line, cycle_keeps

_BAND_STARTS = (100_000, 500_000, 1_000_000, 5_000_000, 10_000_000)
_BANDS: tuple[str, ...] = get_args(Band)
_REDRESS: tuple[str, ...] = get_args(Redress)
_AUTOMATION = {
    "automated_detection": "Yes",
    "automated_decision": "AUTOMATED_DECISION_FULLY",
}

EARNINGS = frozenset(
    {
        Surface.AD_SHARE,
        Surface.TIPS,
        Surface.REVENUE_SHARE,
        Surface.PAID_CONTENT,
        Surface.COMMERCE,
    }
)
"""Surfaces whose restriction concerns money. The others concern reach."""


def band(followers: int) -> str:
    """Returns the band of a follower count. Exact counts do not leave Byline."""
    return _BANDS[bisect_right(_BAND_STARTS, followers)]


def statement(
    account: Account,
    life: Life,
    policy: Policy,
    reason: Ground,
    surface: Surface,
    throttled: Throttled,
    throttle_id: str,
    time: int,
) -> dict[str, Any]:
    """Returns the value of `statement` in a `throttle.applied` event.

    `ground` states the terms, which are fixed at issue. The band is that of the count at issue, so
    that line, phase and band agree whatever the count is now. A restriction requires that the count
    is not below `exit_line`; with `on_fall_below: keep` there is no such line, and it is None. The
    field is the present one. `time`: milliseconds UTC.
    """
    cycle = life.cycle
    assert cycle is not None
    assert cycle.delivered_at is not None
    assert cycle.deadline_at is not None
    assert account.followers is not None
    terms = cycle.terms
    field = label_field(account, policy, time)
    # Terms of the first edition have no count; at issue it was at or above the line.
    invited_with = max(terms.followers or account.followers, terms.line)
    source = account.label.source if field is not None and account.label else terms.field_source
    return {
        "ground": {
            "policy_version": terms.policy_version,
            "policy_digest": terms.policy_digest,
            "phase": terms.phase,
            "line": terms.line,
            "exit_line": None if cycle_keeps(cycle, policy) else cycle_exit_line(cycle, policy),
            "notice_id": terms.notice_id,
            "notice_version": terms.notice_version,
            "impact_assessment": policy.impact_assessment,
        },
        "facts": {
            "followers_band": band(invited_with),
            "field": field or terms.field,
            "field_source": source,
        },
        "delivered_at": rfc3339(cycle.delivered_at),
        "deadline_at": rfc3339(cycle.deadline_at),
        "answer": "declined" if reason == Ground.DECLINED else "none",
        "restriction": {
            "surface": surface,
            "level": throttled.level,
            "effective_at": rfc3339(throttled.effective_at),
            "review_at": rfc3339(throttled.review_at),
            "expires_at": rfc3339(throttled.expires_at),
        },
        "automation": _AUTOMATION,
        "redress": _REDRESS,
        "dsa": {**_DSA[surface, throttled.level], "puid": throttle_id},
    }


def _dsa(surface: Surface, level: Level) -> dict[str, Any]:
    monetary = None
    if surface in EARNINGS:
        off = level is Level.OFF
        monetary = "DECISION_MONETARY_SUSPENSION" if off else "DECISION_MONETARY_OTHER"
    return {
        "decision_visibility": []
        if surface in EARNINGS
        else ["DECISION_VISIBILITY_CONTENT_DEMOTED"],
        "decision_monetary": monetary,
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "account_type": None,
        "source_type": "SOURCE_VOLUNTARY",
    }


_DSA = {(surface, level): _dsa(surface, level) for surface in Surface for level in Level}
