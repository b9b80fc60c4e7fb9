"""What the owner was told and what the owner said: invariants 1, 2, 3, 4 and 8."""

from tests.core.invariants.facts import overlap
from tests.core.invariants.follower import Event, FollowedCycle, Follower, instant
from tests.core.invariants.registry import Faults, of_event, of_step
from tests.core.invariants.words import SKEW, word_time


@of_event(1, "invitation.delivered")
def delivery_is_known(follower: Follower, _: str, event: Event) -> Faults:
    """Only a receipt, an answer, or a shadow life's projection says that a notice arrived."""
    cycle = follower.owner.life_of(event).current
    if cycle is None:
        yield "delivered without a cycle"
        return
    known = {
        "receipt": "delivered" in cycle.receipts,
        "answer": bool(cycle.answers & {"granted", "declined"}),
        "projected": event["mode"] == "shadow",
    }
    if not known[event["reason"]]:
        yield f"delivered ({event['reason']}) though nobody said so"
    if instant(event["delivered_at"]) < instant(cycle.issued["decided_at"]):
        yield "delivered before it was issued"


@of_event(1, "throttle.applied", "invitation.expired")
def notice_comes_first(follower: Follower, _: str, event: Event) -> Faults:
    """No restriction without a delivered notice, a passed deadline, and nothing in its way."""
    cycle = follower.owner.life_of(event).current
    if cycle is None or cycle.delivered_at is None or cycle.deadline is None:
        yield f"{event['event']} without a delivered notice and a deadline"
        return
    effective = instant(event.get("effective_at", event["decided_at"]))
    window = cycle.issued["answer_window_seconds"] * 1000
    if effective < cycle.deadline or cycle.deadline < cycle.delivered_at + window:
        yield f"{event['event']} before the deadline"
    if cycle.state == "granted" or follower.owner.facts.exempt:
        yield f"{event['event']} in spite of a grant or an exemption"
    if event["event"] == "throttle.applied" and cycle.expired is None:
        yield "applied, but never expired"


@of_event(2, "invitation.delivered", "invitation.extended", "invitation.reminded")
def deadlines_move_later(follower: Follower, _: str, event: Event) -> Faults:
    """What the owner was told last is never taken back."""
    cycle = follower.owner.life_of(event).current
    if cycle is None or cycle.deadline is None or event["deadline_at"] is None:
        return
    deadline = instant(event["deadline_at"])
    if deadline < cycle.deadline:
        yield f"{event['event']} takes back {cycle.deadline - deadline} ms"
    if event["event"] == "invitation.extended" and deadline <= cycle.deadline:
        yield "extended to no later date"
    if event["event"] == "invitation.reminded" and deadline != cycle.deadline:
        yield "reminded of another deadline than was told"


@of_event(2, "invitation.expired")
def stopped_time_does_not_count(follower: Follower, _: str, event: Event) -> Faults:
    """The owner had the whole window outside of every pause of the clock."""
    cycle = follower.owner.life_of(event).current
    if cycle is None or cycle.delivered_at is None:
        return
    end = instant(event["decided_at"])
    stops = follower.stops(event["platform"], follower.owner)
    had = end - cycle.delivered_at - overlap(stops, cycle.delivered_at, end)
    if had < cycle.issued["answer_window_seconds"] * 1000:
        yield f"expired after {had} ms of running clock"
    if cycle.deadline != instant(event["deadline_at"]):
        yield "expired by another deadline than was told"


@of_event(3, "consent.granted", "consent.declined", "consent.withdrawn")
def consent_is_said(follower: Follower, _: str, event: Event) -> Faults:
    """Only an owner's answer, to this cycle and notice, is a consent, a refusal, a withdrawal."""
    value, word = follower.step.value, event["event"].split(".")[1]
    cycle = follower.owner.life_of(event).current
    if follower.step.topic != "consent-answers" or value is None or cycle is None:
        yield f"{word} without an answer or a cycle"
        return
    at = word_time(value["occurred_at"], follower.step.now).at
    said = {"granted": ("granted",), "declined": ("declined",)}
    if word == "withdrawn" and value["answer"] == "granted":
        # Older than a withdrawal or refusal that is known: no consent, and the end of the cycle.
        if (follower.owner.protected_at or -1) < at:
            yield "a grant counted as a withdrawal"
        return
    if value["answer"] not in said.get(word, ("withdrawn", "declined")):
        yield f"{word}, but the owner said {value['answer']}"
    if instant(event["answered_at"]) != at:
        yield f"{word} at another time than was said"
    if word != "withdrawn" and value.get("invitation_id") not in (
        None,
        cycle.issued["invitation_id"],
    ):
        yield f"{word} for another cycle"
    if word == "granted" and not (
        event["notice_version"] in cycle.notices
        and value.get("notice_version") in (None, event["notice_version"])
    ):
        yield "granted on another notice"


@of_event(3, "invitation.expired", "throttle.applied")
def silence_is_not_refusal(follower: Follower, _: str, event: Event) -> Faults:
    """The reason says refused only after a refusal, and no answer only after none."""
    cycle = follower.owner.life_of(event).current
    if cycle is not None and (event["reason"] == "declined") is not cycle.declined:
        yield f"{event['event']} for {event['reason']}, declined is {cycle.declined}"


@of_step(4)
def withdrawal_is_heard(follower: Follower, events: list[Event]) -> Faults:
    """A withdrawal ends a consent in the same step, whatever brake is on, and restricts nothing."""
    step = follower.step
    if step.topic != "consent-answers" or step.value is None or step.refused:
        return
    owner = follower.of(step.value["platform"], step.value["account_id"])
    live = owner.lives["enforce"]
    if step.value["answer"] == "withdrawn" and live.current and live.current.state == "granted":
        at, before = word_time(step.value["occurred_at"], step.now).at, owner.answered_before
        if not step.redelivered and (before is None or at >= before[0] - SKEW):
            yield "a withdrawal was not heard"
    if any(event["event"] == "consent.withdrawn" for event in events) and any(
        event["event"] in ("invitation.expired", "throttle.applied") for event in events
    ):
        yield "a withdrawal restricted"


@of_event(4, "consent.granted")
def withdrawal_needs_a_newer_grant(follower: Follower, _: str, event: Event) -> Faults:
    """No consent after a withdrawal but by a grant that is newer than it."""
    withdrawn_at = follower.owner.withdrawn_at
    if withdrawn_at is not None and instant(event["answered_at"]) < withdrawn_at:
        yield "an older grant outlived the withdrawal"


@of_event(8, "consent.granted")
def grants_are_judged_by_their_own_time(follower: Follower, _: str, event: Event) -> Faults:
    """After the expiry: in time if it was said by the deadline, however late it arrived."""
    cycle = follower.owner.life_of(event).current
    if cycle is None or cycle.deadline is None:
        return
    in_time = instant(event["answered_at"]) <= cycle.deadline
    expected = "answer" if cycle.state != "expired" else "in_time" if in_time else "late"
    if event["reason"] != expected:
        yield f"granted as {event['reason']}, not {expected}"


def _is_over(follower: Follower, cycle: FollowedCycle) -> bool:
    """Whether the cycle's end is due, and comes before what is said now."""
    ends_at = cycle.ends_by_itself(follower.policy)
    if cycle.throttles:
        ends_at = max(instant(event["expires_at"]) for event in cycle.throttles.values())
    return ends_at is not None and ends_at <= follower.step.now


@of_step(8)
def late_grants_release(follower: Follower, events: list[Event]) -> Faults:
    """A grant for the open cycle is honoured after the expiry too, and frees every surface."""
    step = follower.step
    if step.topic != "consent-answers" or step.value is None or step.refused:
        return
    if step.value["answer"] != "granted":
        return
    owner = follower.of(step.value["platform"], step.value["account_id"])
    cycle = owner.lives["enforce"].current
    if cycle is None:
        return
    at, before = word_time(step.value["occurred_at"], step.now).at, owner.answered_before
    newer = at > max(before[0] if before else -1, owner.heard_protecting_at or -1)
    if newer and cycle.is_asked(step.value) and cycle.open and not _is_over(follower, cycle):
        yield f"a grant was not honoured while {cycle.state}"
    if cycle.state == "granted" and cycle.throttles:
        yield "granted, but still restricted"
