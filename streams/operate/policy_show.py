"""Shows the effective policy of a platform as plain data, for `byline policy show PLATFORM`.

    show(policies["weibo"])           # ready for --json, or to be printed key by key

Durations are ISO 8601, instants UTC. Each mode is the effective one: the weakest of the policy's,
the phase's and the surface's.
"""

from typing import Any

from schemas.enums import Mode
from streams.core.model.policy import Guards, Policy
from streams.policies.scalars import format_duration, format_instant

Shown = dict[str, Any]


def show(policy: Policy) -> Shown:
    """Returns the effective policy with its digest, floor, and what it lacks for `enforce`."""
    return {
        "platform": policy.platform,
        "version": policy.version,
        "digest": policy.digest,
        "mode": policy.mode.value,
        "missing_for_enforce": list(policy.missing_for_enforce),
        "floor": policy.floor,
        "notice": _notice(policy),
        "impact_assessment": policy.impact_assessment,
        "approvals": [{"actor": actor, "at": format_instant(at)} for actor, at in policy.approvals],
        "phases": [
            {
                "name": phase.name,
                "followers": phase.followers,
                "from": _instant(phase.starts_at),
                "answer_by": _instant(phase.answer_by),
                "mode": policy.phase_mode(phase).value,
            }
            for phase in policy.phases
        ],
        "fields": {
            "covered": "any" if policy.covered is None else sorted(policy.covered),
            "labels": {label: policy.labels[label].value for label in sorted(policy.labels)},
            "exempt_labels": sorted(policy.exempt_labels),
        },
        "stability": {
            "dwell": format_duration(policy.stability.dwell),
            "exit_ratio": ratio_words(policy.stability.exit_ratio_ppm),
            "leave_after": format_duration(policy.stability.leave_after),
            "cool_down": format_duration(policy.stability.cool_down),
            "max_age": _duration(policy.stability.max_age),
        },
        "consequence": _consequence(policy),
        "on_fall_below": "keep" if policy.keep_on_fall_below else "close",
        "caps": {
            "invitations_per_day": policy.invitations_per_day,
            "throttles_per_hour": policy.throttles_per_hour,
        },
        "rollout_percent": policy.rollout_percent,
        "guards": None if policy.guards is None else _guards(policy.guards),
    }


def ratio_words(ppm: int) -> str:
    """Writes a ratio as a policy file does: 950,000 parts per million are 0.95."""
    whole, rest = divmod(ppm, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def _duration(length: int | None) -> str | None:
    return None if length is None else format_duration(length)


def _notice(policy: Policy) -> Shown:
    notice = policy.notice
    return {
        "id": notice.id,
        "version": notice.version,
        "renew": notice.renew,
        "answer_window": _duration(notice.answer_window),
        "reminders": [format_duration(reminder) for reminder in notice.reminders],
    }


def _consequence(policy: Policy) -> Shown:
    consequence = policy.consequence
    surfaces = None
    if consequence.surfaces is not None:
        surfaces = {
            surface.value: {
                "level": restriction.level.value,
                "mode": policy.surface_mode(restriction, Mode.ENFORCE).value,
            }
            for surface, restriction in sorted(consequence.surfaces.items())
        }
    return {
        "surfaces": surfaces,
        "on": sorted(consequence.on),
        "review_after": format_duration(consequence.review_after),
        "expires_after": format_duration(consequence.expires_after),
    }


def _guards(guards: Guards) -> Shown:
    rates = {
        "undelivered_ratio": guards.undelivered_ppm,
        "overturned_ratio": guards.overturned_ppm,
        "sudden_eligible_ratio": guards.sudden_eligible_ppm,
        "sudden_drop_ratio": guards.sudden_drop_ppm,
    }
    return {
        "window": format_duration(guards.window),
        "minimum": guards.minimum,
        **{name: None if ppm is None else ratio_words(ppm) for name, ppm in rates.items()},
    }
