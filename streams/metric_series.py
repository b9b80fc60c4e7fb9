"""The values of the labels of a worker's metrics, and the series that exist from its start.

Every list is closed, so that records cannot create series. A counter that an alert uses exists with
0 from the start, because Prometheus sees no increase if the first value is 1.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import product

from schemas.enums import ADVERSE_EVENTS, Deferral, Event, Ground, Ignored, Mode, Refused, Switch
from schemas.events import EVENT_REASONS
from schemas.topics import INPUTS
from streams.core.lifecycle import Eligibility
from streams.core.limits.guards import Guard

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

_CHECKED = (Event.INVITATION_ISSUED, Event.INVITATION_DELIVERED, Event.INVITATION_UNDELIVERABLE)
_ENDED = (Event.INVITATION_CANCELLED, Event.THROTTLE_LIFTED)
_OVERTURNED = (Ground.APPEAL, Ground.OPERATOR)
_ANSWERED = (Event.CONSENT_GRANTED, Event.CONSENT_DECLINED)


def first_series(platforms: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields metric name and label values of each series that a worker exports from its start."""
    for topic in TOPICS:
        yield "byline_inputs_total", (topic,)
        yield "byline_name_fields_total", (topic,)
        for reason in Refused:
            yield "byline_dead_letters_total", (topic, str(reason))
    for platform in platforms:
        for state in Eligibility:
            yield "byline_eligibility_changes_total", (platform, state.name)
        for guard in Guard:
            yield "byline_guard_trips_total", (platform, str(guard))
        for event in sorted(ADVERSE_EVENTS):
            yield "byline_deferrals_total", (platform, str(event), str(Deferral.CAP))
        for topic, consent in product(("consent-answers", "account-changes", "controls"), CONSENT):
            yield "byline_unclear_words_total", (platform, topic, consent)
        for event in (*_CHECKED, *_ANSWERED):
            for ground in EVENT_REASONS[event]:
                yield "byline_events_total", (platform, str(event), str(ground), str(Mode.ENFORCE))
        for event, ground in product(_ENDED, _OVERTURNED):
            yield "byline_events_total", (platform, str(event), str(ground), str(Mode.ENFORCE))
