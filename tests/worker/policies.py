"""Policies for whole-worker tests, as YAML text."""

POLICY = """\
platform: {platform}
version: 1
mode: {mode}
notice: {{id: n-1, version: "1", renew: false, answer_window: {window}, reminders: [{reminders}]}}
impact_assessment: pia-test
approvals: [{approvals}]
phases:
{phases}
fields: {{covered: any, labels: {{{labels}}}, exempt_labels: [日常生活]}}
stability: {{dwell: {dwell}, exit_ratio: 0.95, leave_after: {leave_after}, cool_down: P30D}}
consequence:
  surfaces: {{recommend-feed: limited, tips: "off"}}
  on: [declined, no_answer]
  review_after: {review_after}
  expires_after: P90D
on_fall_below: close
caps: {{invitations_per_day: {invitations_per_day}, throttles_per_hour: {throttles_per_hour}}}
rollout_percent: 100
{guards}
"""
MANY = 10_000_000


def policy(
    platform: str,
    lines: tuple[int, ...] = (1_000_000,),
    labels: dict[str, str] | None = None,
    mode: str = "enforce",
    dwell: str = "PT0S",
    leave_after: str = "PT0S",
    window: str = "P7D",
    reminders: str = "",
    review_after: str = "P30D",
    approvals: str = "",
    invitations_per_day: int = MANY,
    throttles_per_hour: int = MANY,
    guards: str = "",
) -> str:
    """A policy with lines in force since 2019 (the lowest last), every given label covered.

    `reminders` and `approvals` are the insides of their lists, `guards` is the insides of its map.
    """
    phases = "\n".join(
        f"  - {{name: line-{line}, followers: {line}, from: 201{8 + number}-01-01T00:00:00+08:00}}"
        for number, line in enumerate(sorted(lines, reverse=True))
    )
    words = ", ".join(
        f'"{label}": {field}' for label, field in (labels or {"财经": "finance"}).items()
    )
    return POLICY.format(
        platform=platform,
        mode=mode,
        window=window,
        phases=phases,
        labels=words,
        dwell=dwell,
        leave_after=leave_after,
        reminders=reminders,
        review_after=review_after,
        approvals=approvals,
        invitations_per_day=invitations_per_day,
        throttles_per_hour=throttles_per_hour,
        guards=f"guards: {{{guards}}}" if guards else "",
    )
