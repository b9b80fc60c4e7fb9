"""The dashboard *protection*: which brakes hold, and what was refused?"""

from tests.prometheus.dashboards.panel import Board, Panel

CHOSEN = 'platform=~"$platform"'

PROTECTION = Board(
    "protection",
    "Guards, switches, caps, deferrals by reason, refusals, and the auditor.",
    {
        "Brakes": [
            Panel(
                "Switches on",
                "short",
                {"{{scope}} {{switch}}": "max by (scope, switch) (byline_switch_on)"},
                "`byline switch list` says by whom and why. Alert after a day: BylineSwitchOn.",
            ),
            Panel(
                "Guards tripped",
                "s",
                {"{{platform}}": f"max by (platform) (byline_guard_tripped_seconds{{{CHOSEN}}})"},
                "Seconds until the guard of a policy resets. Alert: BylineGuardTripped.",
            ),
            Panel(
                "Refusal guard",
                "short",
                {"{{platform}}": f"max by (platform) (byline_refusal_guard_tripped{{{CHOSEN}}})"},
                "1 until a person has seen to what was refused. Alert: BylineRefusalGuardTripped.",
            ),
            Panel(
                "Guard trips in a day",
                "short",
                {
                    "{{platform}} {{guard}}": "sum by (platform, guard)"
                    f" (increase(byline_guard_trips_total{{{CHOSEN}}}[1d]))"
                },
                "How often each guard tripped.",
            ),
            Panel(
                "Partitions added",
                "short",
                {"{{instance}}": "max by (instance) (byline_cluster_changed)"},
                "1 while a worker holds back all that is adverse, because the cluster is not as it"
                " was. Alert: BylineClusterChanged.",
            ),
            Panel(
                "Held back by a cap",
                "short",
                {
                    "{{platform}} {{event}}": "sum by (platform, event)"
                    f' (platform_event_by:byline_deferrals:increase1h{{{CHOSEN}, by="cap"}})'
                },
                "Accounts of an hour. Alert: BylineCapReached.",
            ),
            Panel(
                "Deferrals by reason",
                "short",
                {
                    "{{by}}": "sum by (by)"
                    f" (platform_event_by:byline_deferrals:increase1h{{{CHOSEN}}})"
                },
                "Adverse events put off in an hour, by what they wait for.",
            ),
        ],
        "What was refused or not understood": [
            Panel(
                "Dead letters",
                "short",
                {"{{topic}} {{reason}}": "topic_reason:byline_dead_letters:increase15m > 0"},
                "Records of 15 minutes. Alert: BylineDeadLetters.",
            ),
            Panel(
                "Fields of names",
                "short",
                {"{{topic}}": "sum by (topic) (increase(byline_name_fields_total[1h]))"},
                "Records of an hour that carried a person's name. Alert: BylineNameField.",
            ),
            Panel(
                "Unclear words",
                "short",
                {
                    "{{topic}}, consent {{consent}}": "sum by (topic, consent)"
                    f" (increase(byline_unclear_words_total{{{CHOSEN}}}[1h]))"
                },
                "Words of an hour. Alert where a consent is in force: BylineUnclearWords.",
            ),
            Panel(
                "Words that count for nothing",
                "short",
                {
                    "{{topic}} {{reason}}": "sum by (topic, reason)"
                    " (increase(byline_ignored_inputs_total[1h])) > 0",
                    "{{topic}} time replaced": "sum by (topic)"
                    " (increase(byline_times_replaced_total[1h]))",
                    "{{topic}} stale": "sum by (topic) (increase(byline_stale_inputs_total[1h]))",
                },
                "Repeats, stale words, times that no one can believe: of an hour.",
            ),
        ],
        "Held to its promises": [
            Panel(
                "Breaches",
                "short",
                {
                    "{{invariant}} {{breach}}": "sum by (invariant, breach)"
                    " (byline_audit_breaches_total) > 0",
                    "all": "sum(byline_audit_breaches_total)",
                },
                "What the auditor found. Alert: BylineAuditBreach.",
            ),
            Panel(
                "Policies in force",
                "short",
                {
                    "{{platform}} version {{version}} {{digest}}": "count by"
                    f" (platform, version, digest) (byline_policy_info{{{CHOSEN}}})"
                },
                "Workers by policy: more than one line a platform is a roll-out. Alert:"
                " BylinePoliciesMixed.",
            ),
        ],
    },
    by_platform=True,
)
