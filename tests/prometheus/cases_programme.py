"""Cases of deploy/prometheus/programme.yaml."""

from tests.prometheus.rules import RuleCase

W1 = 'job="byline-worker", instance="w1", platform="weibo"'
W2 = 'job="byline-worker", instance="w2", platform="weibo"'
WEIBO = {"platform": "weibo"}


def events(event: str, reason: str, mode: str = "enforce", worker: str = W1) -> str:
    """A series of the funnel."""
    return f'byline_events_total{{{worker}, event="{event}", reason="{reason}", mode="{mode}"}}'


def policy(worker: str, digest: str) -> str:
    """What a worker runs."""
    return f'byline_policy_info{{{worker}, version="1", digest="{digest}"}}'


def capped(by: str) -> str:
    """Invitations put off."""
    return f'byline_deferrals_total{{{W1}, event="invitation.issued", by="{by}"}}'


ISSUED = events("invitation.issued", "over_line")
DELIVERED = events("invitation.delivered", "receipt")
BLOCKED = events("invitation.undeliverable", "blocked")
GRANTED = events("consent.granted", "answer")

PROGRAMME = [
    RuleCase(
        "BylineNoticesNotDelivered",
        {ISSUED: "0+1x400", DELIVERED: "0x120 0+1x300"},
        fires=90,
        quiet=(15, 140),
        labels=WEIBO,
        says="weibo: 90 invitations in six hours and not one receipt: is the notifier alive?",
    ),
    RuleCase(
        "BylineNoticesNotDelivered",
        {ISSUED: "0+1x400", BLOCKED: "0+1x400"},
        quiet=(90, 300),
    ),
    RuleCase(
        "BylineNoticesNotDelivered",
        {events("invitation.issued", "over_line", "shadow"): "0+1x400"},
        quiet=(90, 300),
    ),
    RuleCase(
        "BylineAnswersSilent",
        {DELIVERED: "0+1x1600", GRANTED: "0x300 0+1x1300"},
        fires=240,
        quiet=(80, 120, 320),
        labels=WEIBO,
        says="weibo: 240 notices delivered in a day and not one answer: owners who answer may not"
        " be heard",
    ),
    RuleCase(
        "BylineAnswersSilent",
        {DELIVERED: "0+1x600", events("consent.declined", "answer"): "0+1x600"},
        quiet=(300, 500),
    ),
    RuleCase(
        "BylineNoticesUnconfirmed",
        {
            f"byline_unconfirmed_invitations{{{W1}}}": "0x4 15x90 0x30",
            f"byline_unconfirmed_invitations{{{W2}}}": "0x4 15x90 0x30",
        },
        fires=70,
        quiet=(30, 110),
        labels=WEIBO,
        says="weibo: 30 invitations without a receipt for too long: byline worklist unconfirmed"
        " lists them",
    ),
    RuleCase(
        "BylineNoticesUnconfirmed",
        {f"byline_unconfirmed_invitations{{{W1}}}": "12x200"},
        quiet=(150,),
    ),
    RuleCase(
        "BylineUndeliverable",
        {ISSUED: "0+4x900", BLOCKED: "0+1x120 120x700"},
        fires=90,
        quiet=(20, 700),
        labels=WEIBO,
        says="weibo: 25% of the notices of six hours failed: byline worklist undeliverable lists"
        " them",
    ),
    RuleCase(
        "BylineUndeliverable",
        {ISSUED: "0+10x200", BLOCKED: "0+1x200"},
        quiet=(120,),
    ),
    RuleCase(  # Too few to say anything.
        "BylineUndeliverable",
        {ISSUED: "0 0 0 4x200", BLOCKED: "0 0 0 3x200"},
        quiet=(60, 120),
    ),
    RuleCase(
        "BylineCapReached",
        {capped("cap"): "0x4 0+10x30 300x90"},
        fires=20,
        quiet=(4, 110),
        labels={"platform": "weibo", "event": "invitation.issued"},
        says="weibo: a cap holds invitation.issued back for 150 accounts this hour: is this volume"
        " meant?",
    ),
    RuleCase("BylineCapReached", {capped("cap"): "0x60", capped("hold"): "0+1x60"}, quiet=(30,)),
    RuleCase(
        "BylinePoliciesMixed",
        {policy(W1, "aaa"): "1x90", policy(W2, "bbb"): "1x60", policy(W2, "aaa"): "_x60 1x30"},
        fires=40,
        quiet=(20, 75),
        labels=WEIBO,
        says="weibo: 2 policies run side by side: finish the roll-out or take it back",
    ),
    RuleCase(
        "BylinePoliciesMixed",
        {policy(W1, "aaa"): "1x90", policy(W2, "aaa"): "1x90"},
        quiet=(60,),
    ),
    RuleCase(
        "BylineUnacknowledged",
        {'byline_unacknowledged_events{platform="weibo", event="throttle.lifted"}': "0x4 3x30 0x9"},
        fires=25,
        quiet=(10, 40),
        labels=WEIBO,
        says="weibo: no system says that it carried out 3 lifts: owners may still be restricted;"
        " see byline worklist unacknowledged",
    ),
    RuleCase(
        "BylineUnacknowledged",
        {
            'byline_unacknowledged_events{platform="weibo", event="throttle.lifted"}': "0x40",
            'byline_unacknowledged_events{platform="weibo", event="throttle.applied"}': "9x40",
        },
        quiet=(30,),
    ),
    RuleCase(
        "BylineSystemSilent",
        {'byline_system_silent_seconds{system="recommender"}': "0x4 1800+60x20 0x9"},
        fires=14,
        quiet=(4, 30),
        labels={"system": "recommender"},
        says="The enforcing system recommender has acknowledged nothing new for 39m 0s: ask who"
        " runs it",
    ),
    RuleCase(
        "BylineSystemSilent",
        {'byline_system_silent_seconds{system="recommender"}': "0+60x20 0x9"},
        quiet=(15, 25),
    ),
]
