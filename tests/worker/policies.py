"""Policies for whole-worker tests, as YAML text."""

POLICY = """\
platform: {platform}
version: 1
mode: {mode}
notice: {{id: test-notice, version: "1", renew: false, answer_window: {window}, reminders: []}}
impact_assessment: pia-test
approvals: []
phases:
{phases}
fields: {{covered: any, labels: {{{labels}}}, exempt_labels: [日常生活]}}
stability: {{dwell: {dwell}, exit_ratio: 0.95, leave_after: {leave_after}, cool_down: P30D}}
consequence:
  surfaces: {{recommend-feed: limited, tips: "off"}}
  on: [declined, no_answer]
  review_after: P30D
  expires_after: P90D
on_fall_below: close
caps: {{invitations_per_day: 10000000, throttles_per_hour: 10000000}}
rollout_percent: 100
"""


def policy(
    platform: str,
    lines: tuple[int, ...] = (1_000_000,),
    labels: dict[str, str] | None = None,
    mode: str = "enforce",
    dwell: str = "PT0S",
    leave_after: str = "PT0S",
    window: str = "P7D",
) -> str:
    """A policy with lines in force since 2019 (the lowest last), every given label covered."""
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
    )
