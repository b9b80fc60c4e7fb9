"""What restrictions may be and how they end: invariants 9, 10, 11 and 14."""

from tests.core.invariants.follower import Event, Follower, instant
from tests.core.invariants.registry import EVERY, Faults, of_event, of_step


@of_event(9, "throttle.applied")
def smallest_restriction(follower: Follower, _: str, event: Event) -> Faults:
    """Only surfaces, levels and reasons that the terms and the present policy both name."""
    cycle = follower.owner.life_of(event).current
    if cycle is None:
        return
    surface = event["surface"]
    if surface not in cycle.issued["surfaces_at_stake"]:
        yield f"{surface} was not at stake"
    if surface in cycle.freed:
        yield f"{surface} was freed by a milder policy"
    for policy in (cycle.policy, follower.policy):
        named = (policy.consequence.surfaces or {}).get(surface)
        if named is None:
            yield f"{surface} is not named by version {policy.version}"
        elif event["level"] == "off" and named.level.value != "off":
            yield f"{surface} is off, version {policy.version} says {named.level}"
        if event["reason"] not in policy.consequence.on:
            yield f"restricts for {event['reason']} against version {policy.version}"
    if instant(event["effective_at"]) < instant(event["decided_at"]):
        yield "acts backward"


@of_event(10, "throttle.applied", "throttle.renewed", "throttle.lifted")
def only_our_own(follower: Follower, _: str, event: Event) -> Faults:
    """Each restriction has an end; what is renewed or lifted is one of ours, by its id."""
    cycle = follower.owner.life_of(event).cycle
    now = instant(event["decided_at"])
    if event["event"] == "throttle.applied":
        after = follower.policy.consequence.expires_after
        if cycle is not None:
            after = min(after, cycle.policy.consequence.expires_after)
        if not now < instant(event["expires_at"]) <= now + after:
            yield "a restriction without an end in time"
        return
    known = cycle.throttles.get(event["surface"]) if cycle else None
    if known is None or known["throttle_id"] != event["throttle_id"]:
        yield f"{event['event']} of a restriction that is not ours"
    elif event["event"] == "throttle.renewed" and now >= instant(known["expires_at"]):
        yield "renewed after its end"


@of_step(10)
def restrictions_end(follower: Follower, _: list[Event]) -> Faults:
    """A cycle that is over or granted restricts nothing; nor does one past `expires_at`."""
    step = follower.step
    for (platform, _account), owner in follower.owners.items():
        for mode, life in owner.lives.items():
            cycle = life.cycle
            if cycle is None:
                continue
            if cycle.throttles and (cycle.state in ("over", "granted") or cycle.restriction_waived):
                yield f"{cycle.state}, waived {cycle.restriction_waived}, and still restricted"
            if step.kind != "fire" or step.as_of != step.now or follower.more:
                continue
            for event in cycle.throttles.values():
                if instant(event["expires_at"]) <= step.now:
                    yield f"{event['surface']} restricted past its end"
            policy = follower.policies[platform]
            leads = policy.mode.value == "enforce" or (mode == "shadow" == policy.mode.value)
            touchable = owner.facts.touchable(policy, step.now)
            if cycle.open and not (leads and touchable):
                yield f"{cycle.state} without its ground"


_LONG_AGO = "1970-01-01T00:00:00.000Z"


@of_event(11, "invitation.issued")
def terms_are_the_policys(follower: Follower, _: str, event: Event) -> Faults:
    """What is promised is the policy in force, which may invite live only when it enforces."""
    policy = follower.policy
    if event["reason"] == "over_line":
        window = policy.notice.answer_window
        if window is None or event["answer_window_seconds"] * 1000 != window:
            yield "another window than the policy's"
        if event["policy_digest"] != policy.digest:
            yield "another policy's digest"
    if event["mode"] == "enforce" and policy.mode.value != "enforce":
        yield f"a live invitation in mode {policy.mode}"


@of_event(11, "invitation.delivered", "throttle.applied")
def terms_are_pinned(follower: Follower, _: str, event: Event) -> Faults:
    """The window, notice and rule are those of the issue, whatever policy came after it."""
    cycle = follower.owner.life_of(event).current
    if cycle is None:
        return
    issued = cycle.issued
    if event["event"] == "invitation.delivered":
        window = issued["answer_window_seconds"] * 1000
        least = max(
            instant(event["delivered_at"]) + window, instant(issued["answer_by"] or _LONG_AGO)
        )
        if instant(event["deadline_at"]) < least:
            yield "a shorter window than was promised"
        return
    ground = event["statement"]["ground"]
    for name in ("policy_digest", "phase", "line", "notice_id", "notice_version"):
        if ground[name] != issued[name]:
            yield f"the statement's {name} is not that of the issue"


@of_event(14, "throttle.applied")
def reasons_are_given(follower: Follower, _: str, event: Event) -> Faults:
    """The statement names the notice, the deadline, the answer and the restriction as they are."""
    cycle = follower.owner.life_of(event).current
    if cycle is None or cycle.delivered_at is None:
        return
    said = event["statement"]
    if instant(said["delivered_at"]) != cycle.delivered_at:
        yield "the statement dates the delivery otherwise"
    if instant(said["deadline_at"]) != cycle.deadline:
        yield "the statement names another deadline"
    if said["answer"] != ("declined" if event["reason"] == "declined" else "none"):
        yield "the statement names another answer"
    field = follower.policy.field_of(follower.owner.facts.label)
    if said["facts"]["field"] != field or not said["redress"]:
        yield "the statement lacks the field or the way out"
    for name in ("surface", "level", "effective_at", "review_at", "expires_at"):
        if said["restriction"][name] != event[name]:
            yield f"the statement differs in {name}"


@of_event(14, *EVERY)
def shadow_stays_in_shadow(_: Follower, topic: str, event: Event) -> Faults:
    """A shadow event is never on a live topic, nor the other way round."""
    if topic.startswith("shadow.") is not (event["mode"] == "shadow"):
        yield f"{event['event']} of mode {event['mode']} on {topic}"


@of_step(14)
def decisions_are_logged(follower: Follower, events: list[Event]) -> Faults:
    """Every event stands in the decision log of its step, with its rule."""
    if not events:
        return
    log = b"".join(raw or b"" for topic, _, raw, _ in follower.step.raw if topic == "decisions")
    for event in events:
        if event["event_id"].encode() not in log or event["policy_digest"].encode() not in log:
            yield f"{event['event']} is not in the decision log"
