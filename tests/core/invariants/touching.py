"""Whom the machine may touch, when, and how often: invariants 5, 6, 7, 12, 13 and 15."""

from tests.core.invariants.follower import ADVERSE, Event, Follower, Owner, instant
from tests.core.invariants.histories import NAME
from tests.core.invariants.registry import EVERY, Faults, of_event, of_step
from tests.core.invariants.words import SKEW


@of_event(5, *sorted(ADVERSE))
def untouched(follower: Follower, _: str, event: Event) -> Faults:
    """No adverse event where exemption, label or count is exempt, missing, unknown or stale."""
    facts, policy, time = follower.owner.facts, follower.policy, follower.time
    if not facts.touchable(policy, time):
        yield f"{event['event']} of an exempt, closed or uncovered account"
    cycle = follower.owner.life_of(event).current
    ages = [policy.stability.max_age, cycle.max_age if cycle is not None else None]
    shortest = min((age for age in ages if age is not None), default=None)
    if facts.stale(shortest, time):
        yield f"{event['event']} on stale facts"
    if policy.mode.value == "off":
        yield f"{event['event']} of a platform that is off"


@of_step(5)
def exempt_is_released(follower: Follower, events: list[Event]) -> Faults:
    """Exempted, closed, of another owner or no longer covered: nothing of ours stays open.

    A label that has run out is a timer's business, and waits for what has not been read.
    """
    step = follower.step
    if step.kind == "fire" and not follower.more and follower.time >= follower.opened_at:
        for (platform, _), owner in follower.owners.items():
            policy = follower.policies[platform]
            if not owner.facts.touchable(policy, follower.time):
                yield from _left_open(owner, events, "its time")
        return
    if step.topic not in ("account-changes", "category-changes") or not follower.owner_applied:
        return
    platform, _, account = step.key.partition(":")
    owner, value = follower.of(platform, account), step.value or {}
    unlabelled = follower.policy.field_of(owner.facts.label) is None or owner.facts.contradicted
    gone = owner.facts.closed or owner.facts.exempt or unlabelled
    waits = step.topic == "category-changes" and owner.label_ran_out
    if not waits and (gone or value.get("change") == "owner_changed"):
        yield from _left_open(owner, events, value.get("change", step.topic))


def _left_open(owner: Owner, events: list[Event], after: str) -> Faults:
    reissued = any(event["event"] == "invitation.issued" for event in events)
    for life in owner.lives.values():
        cycle = life.cycle
        if cycle is None:
            continue
        if (cycle.open and not reissued) or (cycle.throttles and cycle.state == "over"):
            yield f"still {cycle.state} after {after}"


@of_step(6)
def nothing_of_a_name(follower: Follower, _: list[Event]) -> Faults:
    """The text that stands in unknown fields and labels comes out nowhere."""
    for topic, key, value, headers in follower.step.raw:
        if NAME in (value or b"") or NAME in (key or b"") or NAME in repr(headers).encode():
            yield f"{topic} holds the text of an unknown field or label"


@of_event(7, *EVERY)
def numbered_once(follower: Follower, _: str, event: Event) -> Faults:
    """Ids are new, the sequence rises by one, and cycles and restrictions never overlap."""
    owner, life = follower.owner, follower.owner.life_of(event)
    if event["event_id"] in follower.event_ids:
        yield f"the id of {event['event']} was used before"
    if event["sequence"] != owner.lives[event["mode"]].sequence + 1:
        yield f"sequence {event['sequence']} after {owner.lives[event['mode']].sequence}"
    if event["event"] == "invitation.issued" and event["reason"] == "over_line":
        if any(other.current is not None for other in owner.lives.values()):
            yield "a second cycle while one is open or granted"
        if event["cycle"] != life.number + 1:
            yield f"cycle {event['cycle']} after {life.number}"
    elif life.cycle is None or event["cycle"] != life.number:
        yield f"{event['event']} of cycle {event['cycle']}, not {life.number}"
    elif event["event"] == "throttle.applied" and event["surface"] in life.cycle.throttles:
        yield "a surface restricted twice"


@of_step(7)
def redelivery_is_nothing(follower: Follower, events: list[Event]) -> Faults:
    """An input that is told twice adds no event.

    But for a receipt that was told before its invitation was issued, which nobody can have sent.
    """
    step = follower.step
    if step.topic == "notice-receipts" and step.value is not None:
        cycle = follower.of(step.value["platform"], step.value["account_id"]).lives["enforce"].cycle
        if cycle is not None and step.value["occurred_at"] < instant(cycle.issued["decided_at"]):
            return
    if step.value is not None and step.topic in ("account-changes", "consent-answers"):
        # A word that protects, from the last five minutes, is taken again where others came since.
        stated = step.value.get("observed_at", step.value.get("occurred_at"))
        if stated >= step.now - 2 * SKEW:
            return
    if follower.step.redelivered and events:
        yield f"a redelivery of {follower.step.topic} made {events[0]['event']}"


@of_event(12, "invitation.issued")
def crossing_is_stable(follower: Follower, _: str, event: Event) -> Faults:
    """Over the line for the whole dwell by organic counts, not leaving, the cool-down over."""
    if event["reason"] != "over_line":
        return
    facts, line = follower.owner.facts, event["line"]
    if line not in facts.stable:
        yield f"the line of {line} was not crossed for the whole dwell"
    if (facts.followers or 0) < line:
        yield "issued below the line"
    cool_until = follower.owner.lives[event["mode"]].cool_until
    if instant(event["decided_at"]) < cool_until:
        yield f"issued {cool_until - instant(event['decided_at'])} ms before the cool-down ended"


_STOPPED_BY = {
    "adverse_off": ADVERSE,
    "invitations_off": {"invitation.issued"},
    "throttles_off": {"invitation.expired", "throttle.applied", "throttle.renewed"},
    "answers_paused": {"invitation.reminded", "invitation.expired", "throttle.applied"},
}


@of_event(13, *sorted(ADVERSE))
def brakes_hold(follower: Follower, _: str, event: Event) -> Faults:
    """No adverse event past a switch that is on, nor past a cap."""
    platform, name, mode = event["platform"], event["event"], event["mode"]
    for switch, stopped in _STOPPED_BY.items():
        if name in stopped and follower.on(platform, switch):
            yield f"{name} in spite of {switch}"
    window = instant(event["decided_at"])
    if name == "invitation.issued":
        used = follower.used_in(platform, mode, "day", window)
        if used >= follower.policy.invitations_per_day:
            yield f"invitation {used + 1} of the day in mode {mode}"
    cycle = follower.owner.life_of(event).current
    first = cycle is not None and mode == cycle.issued["mode"]
    if name != "throttle.applied" or not first or cycle is None:
        return
    if not any(known["mode"] == mode for known in cycle.throttles.values()):
        used = follower.used_in(platform, mode, "hour", window)
        if used >= follower.policy.throttles_per_hour:
            yield f"account {used + 1} throttled in the hour in mode {mode}"


@of_event(13, *sorted(ADVERSE))
def guards_hold(follower: Follower, _: str, event: Event) -> Faults:
    """No adverse event while a guard of its platform is closed."""
    until = follower.watch.held.get(event["event_id"])
    if until is not None:
        left = until - follower.step.now
        yield f"{event['event']} {left} ms before the guard of {event['platform']} opens"


@of_event(13, *sorted(ADVERSE))
def doubt_defers(follower: Follower, _: str, event: Event) -> Faults:
    """No adverse event on an unclear word, a tripped refusal guard or a cluster that changed."""
    name = event["event"]
    if follower.owner.unclear.waits:
        yield f"{name} in spite of an unclear word"
    if follower.refusal_guard(event["platform"]):
        yield f"{name} in spite of the refusal guard"
    if follower.cluster_changed:
        yield f"{name} though the cluster has changed"
    if follower.step.favourable_only:
        yield f"{name} in a round for favourable events alone"
    upheld_at = follower.owner.facts.appeals.upheld_at
    if name == "invitation.issued" and event["reason"] == "over_line" and upheld_at is not None:
        yield "invited again after an upheld appeal"


@of_event(15, *sorted(ADVERSE))
def people_outrank(follower: Follower, _: str, event: Event) -> Faults:
    """A hold or an open appeal freezes the account; a lifted cycle never restricts again."""
    if follower.owner.facts.held(follower.time):
        yield f"{event['event']} in spite of a hold or an appeal"
    cycle = follower.owner.life_of(event).current
    if event["event"] == "throttle.applied" and cycle is not None and cycle.restriction_waived:
        yield "restricted again after a lift or an upheld appeal"
    if follower.step.kind == "input" and follower.step.topic != "switches":
        platform, _sep, account = follower.step.key.partition(":")
        if (event["platform"], event["account_id"]) != (platform, account):
            yield f"an input of {follower.step.key} moved {event['account_id']}"
