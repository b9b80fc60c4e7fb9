"""Cases of deploy/prometheus/protection.yaml."""

from tests.prometheus.rules import RuleCase

W1 = 'job="byline-worker", instance="w1"'
W2 = 'job="byline-worker", instance="w2"'
BREACH = 'byline_audit_breaches_total{invariant="1", breach="restricted_before_deadline"}'
SWITCH = f'byline_switch_on{{{W1}, scope="weibo", switch="adverse_off"}}'
SILENT = "Nobody audits what goes out: start byline audit --follow, or find what holds it"


def refused(topic: str, reason: str) -> str:
    """A series of dead letters."""
    return f'byline_dead_letters_total{{{W1}, topic="{topic}", reason="{reason}"}}'


def unclear(consent: str) -> str:
    """A series of unclear words."""
    labels = f'{W1}, platform="weibo", topic="consent-answers", consent="{consent}"'
    return f"byline_unclear_words_total{{{labels}}}"


PROTECTION = [
    RuleCase(
        "BylineAuditBreach",
        {BREACH: "0x4 2x20 0x10"},
        fires=6,
        quiet=(4, 28),
        labels={"invariant": "1", "breach": "restricted_before_deadline"},
        says="The auditor found 2 breaches of invariant 1 (restricted_before_deadline): stop what"
        " is adverse, then byline audit",
    ),
    RuleCase("BylineAuditBreach", {BREACH: "0x40"}, quiet=(30,)),
    RuleCase(
        "BylineAuditorSilent",
        {
            "byline_audit_as_of_timestamp_seconds": "0+60x10 600x40 3060+60x20",
            'up{job="byline-auditor"}': "1x90",
        },
        fires=35,
        quiet=(15, 55),
        says=SILENT,
    ),
    RuleCase("BylineAuditorSilent", {'up{job="byline-worker"}': "1x30"}, fires=15, says=SILENT),
    RuleCase("BylineAuditorSilent", {'up{job="byline-auditor"}': "0x30"}, fires=15, says=SILENT),
    # It lives and never comes to the end of the log, so that it has no such time at all.
    RuleCase(
        "BylineAuditorSilent",
        {
            "byline_audit_as_of_timestamp_seconds": "_x400 24000+60x100",
            'up{job="byline-auditor"}': "1x500",
        },
        fires=380,
        quiet=(350, 450),
        says=SILENT,
    ),
    RuleCase(
        "BylineAuditorSilent",
        {
            "byline_audit_as_of_timestamp_seconds": "0+60x60",
            'up{job="byline-auditor"}': "1x60",
        },
        quiet=(40,),
    ),
    RuleCase(
        "BylineRefusalGuardTripped",
        {f'byline_refusal_guard_tripped{{{W1}, platform="weibo"}}': "0x4 1x10 0x10"},
        fires=6,
        quiet=(4, 20),
        labels={"platform": "weibo"},
        says="weibo: refused words hold all that is adverse back until a person has seen to them:"
        " byline dead-letters list",
    ),
    RuleCase(
        "BylineRefusalGuardTripped",
        {f'byline_refusal_guard_tripped{{{W1}, platform="weibo"}}': "0x20"},
        quiet=(10,),
    ),
    RuleCase(
        "BylineDeadLetters",
        {refused("notice-receipts", "bad_id"): "0x4 0+4x30 120x40"},
        fires=25,
        quiet=(4, 60),
        labels={"topic": "notice-receipts", "reason": "bad_id"},
        says="60 records of notice-receipts were refused in 15 minutes (bad_id): tell its producer",
    ),
    RuleCase(
        "BylineDeadLetters",
        {refused("notice-receipts", "bad_id"): "0x4 1x20 2x20 3x20"},
        quiet=(30, 60),
    ),
    RuleCase(
        "BylineNameField",
        {f'byline_name_fields_total{{{W1}, topic="follower-counts"}}': "0x60 2x90"},
        fires=65,
        quiet=(60, 140),
        labels={"topic": "follower-counts"},
        says="2 records of follower-counts carried a field for a person's name or identity number:"
        " its producer must stop",
    ),
    RuleCase(
        "BylineNameField",
        {f'byline_name_fields_total{{{W1}, topic="follower-counts"}}': "7x90"},
        quiet=(60,),
    ),
    RuleCase(
        "BylineUnclearWords",
        {unclear("yes"): "0x60 1x90"},
        fires=65,
        quiet=(60, 140),
        labels={"platform": "weibo"},
        says="weibo: 1 words of owners who consented cannot be understood: byline worklist unclear",
    ),
    RuleCase("BylineUnclearWords", {unclear("yes"): "0x60", unclear("no"): "0+1x60"}, quiet=(50,)),
    RuleCase(
        "BylineGuardTripped",
        {
            f'byline_guard_tripped_seconds{{{W1}, platform="weibo"}}': "0x4 3600-60x20 0x10",
            f'byline_guard_tripped_seconds{{{W2}, platform="weibo"}}': "0x40",
        },
        fires=5,
        quiet=(4, 30),
        labels={"platform": "weibo"},
        says="weibo: a guard of the policy holds all that is adverse back for another 1h 0m 0s:"
        " find out why it tripped",
    ),
    RuleCase(
        "BylineGuardTripped",
        {f'byline_guard_tripped_seconds{{{W1}, platform="weibo"}}': "0x40"},
        quiet=(30,),
    ),
    RuleCase(
        "BylineSwitchOn",
        {SWITCH: "1x1500 _x60"},
        fires=1450,
        quiet=(60, 1430, 1520),
        labels={"scope": "weibo", "switch": "adverse_off"},
        says="The switch adverse_off for weibo has been on for a day: is it still meant?",
    ),
    RuleCase("BylineSwitchOn", {SWITCH: "1x600 _x30 1x1000"}, quiet=(1500,)),
]
