"""The values of the labels of a worker's metrics, and the series that exist from its start.

Every list is closed, so that records cannot create series. A counter that an alert or a dashboard
uses exists with 0 from the start, because Prometheus sees no increase if the first value is 1.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from schemas.enums import ADVERSE_EVENTS, Deferral, Event, Ignored, Mode, Refused, Switch
from schemas.events import EVENT_REASONS
from schemas.topics import INPUTS
from streams.core.lifecycle import Eligibility
from streams.core.limits.guards import Guard
from streams.core.model.policy import Policy

TOPICS = tuple(topic.name for topic in INPUTS)
CONSENT = ("yes", "no")
_GROUNDS = tuple(sorted({str(ground) for grounds in EVENT_REASONS.values() for ground in grounds}))

LABEL_VALUES: Mapping[str, tuple[str, ...]] = {
    "topic": TOPICS,
    "event": tuple(map(str, Event)),
    "mode": (str(Mode.SHADOW), str(Mode.ENFORCE)),
    "by": tuple(map(str, Deferral)),
    "guard": tuple(map(str, Guard)),
    "switch": tuple(map(str, Switch)),
    "state": ("recovering", "running", "suspended"),
    "consent": CONSENT,
    "to": tuple(state.name for state in Eligibility),
}
"""By label, all its values in any metric."""

REASON_VALUES: Mapping[str, tuple[str, ...]] = {
    "byline_ignored_inputs_total": tuple(map(str, Ignored)),
    "byline_dead_letters_total": tuple(map(str, Refused)),
    "byline_refusal_guard_trips_total": tuple(map(str, Refused)),
    "byline_events_total": _GROUNDS,
    "byline_refetches_total": ("gap", "tail"),
}
"""By metric, the values of its label `reason`."""

BOUNDED_BY: Mapping[str, str] = {
    "platform": "the policy files of this worker; * where all trip the refusal guard",
    "scope": "the policy files of this worker, and * for all",
    "version": "the policy files of this worker",
    "digest": "the policy files of this worker",
    "producer_id": "transactions that are open now: at most one a partition of an input",
}
"""By label, what bounds its values if Byline does not fix the list."""

READINGS = ("follower-counts", "category-changes")
WORDS = tuple(topic for topic in TOPICS if topic not in READINGS)
"""Topics on which people and systems say something; the others say how an account stands."""
_OF_PEOPLE = ("consent-answers", "account-changes", "controls")


def first_series(policies: Iterable[Policy]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields metric name and label values of each series that a worker exports from its start.

    These are all series of its counters, with two exceptions: trips of the refusal guard, which
    would be platforms times topics times reasons, and events in shadow of a policy without shadow.
    """
    for topic in TOPICS:
        yield "byline_inputs_total", (topic,)
        yield "byline_name_fields_total", (topic,)
        for reason in Refused:
            yield "byline_dead_letters_total", (topic, str(reason))
    for topic in WORDS:
        yield "byline_times_replaced_total", (topic,)
        for ignored in Ignored:
            yield "byline_ignored_inputs_total", (topic, str(ignored))
    for why in REASON_VALUES["byline_refetches_total"]:
        yield "byline_refetches_total", (why,)
    for policy in policies:
        yield from _of_platform(policy.platform)
        for event, grounds in EVENT_REASONS.items():
            for ground, mode in product(grounds, _modes(policy)):
                yield "byline_events_total", (policy.platform, str(event), str(ground), mode)


def _of_platform(platform: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "byline_timer_evaluations_total", (platform,)
    yield "byline_control_ids_reused_total", (platform,)
    for topic in READINGS:
        yield "byline_stale_inputs_total", (topic, platform)
    for state in Eligibility:
        yield "byline_eligibility_changes_total", (platform, state.name)
    for guard in Guard:
        yield "byline_guard_trips_total", (platform, str(guard))
    for event, by in product(sorted(ADVERSE_EVENTS), Deferral):
        yield "byline_deferrals_total", (platform, str(event), str(by))
    for topic, consent in product(_OF_PEOPLE, CONSENT):
        yield "byline_unclear_words_total", (platform, topic, consent)


def _modes(policy: Policy) -> list[str]:
    """The modes of the events about its platform; an enforced life may end under any policy."""
    stated = {policy.mode, *(phase.mode for phase in policy.phases)}
    for restriction in (policy.consequence.surfaces or {}).values():
        stated.add(restriction.mode)
    return [str(Mode.ENFORCE), *([str(Mode.SHADOW)] if Mode.SHADOW in stated else [])]
