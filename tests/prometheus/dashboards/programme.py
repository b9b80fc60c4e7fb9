"""The dashboard *programme*: are owners reached, heard and let go?"""

from tests.prometheus.dashboards.panel import Board, Panel

CHOSEN = 'platform=~"$platform"'
LIVE = f'{CHOSEN}, mode="enforce"'


def _a_day(more: str) -> str:
    return f"sum by (platform) (increase(byline_events_total{{{LIVE}, {more}}}[1d]))"


def _six_hours(event: str) -> str:
    recorded = f'platform_event:byline_events:increase6h{{{CHOSEN}, event="{event}"}}'
    return f"sum by (platform) ({recorded})"


def _events(*names: str) -> dict[str, str]:
    listed = "|".join(names)
    counted = f'increase(byline_events_total{{{LIVE}, event=~"{listed}"}}[1h])'
    return {"{{platform}} {{event}}": f"sum by (platform, event) ({counted})"}


PROGRAMME = Board(
    "programme",
    "The funnel by platform, deadlines ahead, restrictions in force, and what was overturned."
    " Only mode enforce counts, where nothing else is said.",
    {
        "Funnel": [
            Panel(
                "Invited and reached",
                "short",
                _events("invitation.issued", "invitation.delivered", "invitation.undeliverable"),
                "Events of an hour. Alert: BylineNoticesNotDelivered.",
            ),
            Panel(
                "Answers",
                "short",
                _events("consent.granted", "consent.declined", "consent.withdrawn"),
                "Events of an hour. Alert: BylineAnswersSilent.",
            ),
            Panel(
                "Restricted and let go",
                "short",
                _events("throttle.applied", "throttle.renewed", "throttle.lifted"),
                "Events of an hour, one a surface.",
            ),
            Panel(
                "Not reached, of those invited in six hours",
                "percentunit",
                {
                    "{{platform}}": f"{_six_hours('invitation.undeliverable')}"
                    f" / ({_six_hours('invitation.issued')} > 0)"
                },
                "Alert above a fifth: BylineUndeliverable.",
            ),
            Panel(
                "Without a receipt",
                "short",
                {"{{platform}}": f"sum by (platform) (byline_unconfirmed_invitations{{{CHOSEN}}})"},
                "Invitations without a receipt for too long. Alert: BylineNoticesUnconfirmed.",
            ),
            Panel(
                "Decided in shadow",
                "short",
                {
                    "{{platform}} {{event}}": "sum by (platform, event)"
                    f' (increase(byline_events_total{{{CHOSEN}, mode="shadow"}}[1h])) > 0'
                },
                "Events of an hour that touched nobody.",
            ),
        ],
        "Now and next": [
            Panel(
                "Restrictions in force",
                "short",
                {"{{platform}}": f"max by (platform) (byline_restricted_invitations{{{CHOSEN}}})"},
                "Invitations with a restriction that was not lifted; from the index.",
            ),
            Panel(
                "Deadlines ahead",
                "short",
                {
                    "{{platform}}, within {{within}}": "max by (platform, within)"
                    f" (byline_deadlines_ahead{{{CHOSEN}}})"
                },
                "Open invitations whose deadline passes within an hour, a day, a week; from the"
                " index. `byline worklist pending` names them.",
            ),
            Panel(
                "Accounts known",
                "short",
                {
                    "{{platform}} tracked": "sum by (platform)"
                    f" (byline_tracked_accounts{{{CHOSEN}}})",
                    "with a timer": "sum(byline_scheduled_accounts)",
                },
                "Accounts whose state is kept, and those that wait for an instant.",
            ),
            Panel(
                "Fell below a line",
                "short",
                {
                    "{{platform}}": "sum by (platform) (increase(byline_eligibility_changes_total"
                    f'{{{CHOSEN}, to=~"OUTSIDE|LEAVING"}}[1h]))'
                },
                "Times of an hour, each one a decision. Alert above 10,000: BylineFlapping.",
            ),
        ],
        "Right and carried out": [
            Panel(
                "Overturned in a day",
                "short",
                {
                    "{{platform}} appeals upheld": _a_day('reason="appeal"'),
                    "{{platform}} lifted by a person": _a_day('reason="operator"'),
                },
                "Cancelled or lifted because a person found against us.",
            ),
            Panel(
                "Lifts and restrictions that nobody acknowledged",
                "short",
                {
                    "{{platform}} {{event}}": "max by (platform, event)"
                    f" (byline_unacknowledged_events{{{CHOSEN}}})"
                },
                "Alert on lifts: BylineUnacknowledged.",
            ),
            Panel(
                "Acknowledged, of the last day",
                "percentunit",
                {"{{system}}": "max by (system) (byline_acknowledged_ratio)"},
                "By enforcing system.",
            ),
            Panel(
                "How soon it is acknowledged",
                "s",
                {
                    "{{system}}, quantile {{quantile}}": "max by (system, quantile)"
                    " (byline_acknowledgement_delay_seconds)"
                },
                "By enforcing system, of the last day.",
            ),
            Panel(
                "Silent systems",
                "s",
                {"{{system}}": "max by (system) (byline_system_silent_seconds)"},
                "Since when a system that did acknowledge says nothing of newer events."
                " Alert: BylineSystemSilent.",
            ),
        ],
    },
    by_platform=True,
)
