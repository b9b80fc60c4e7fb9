"""The checks of the demo, on all records read back from Kafka.

Every check is a function over `Evidence` that yields a sentence for each fault;
`tests/local/test_demo_checks.py` shows each one failing. They use only the contract, and no code of
the core.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from schemas.enums import Event, Mode
from schemas.events import EVENT_MODELS, EVENT_TOPIC, TRACEPARENT
from streams.local.demo.audited import auditor_finds_nothing
from streams.local.demo.chain import broken_links
from streams.local.demo.evidence import Evidence, by_account, place
from streams.local.demo.expect import as_told, collapse
from streams.local.demo.formed import records_keep_to_the_contract
from streams.local.demo.garbage import PLANTED
from streams.local.demo.restrictions import no_restriction_before_its_deadline


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check: a statement about the day, and the faults that were found.

    `looked_at`: the number of things checked; `what`: what they are.
    """

    statement: str
    looked_at: int
    what: str
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there are no faults, and at least one thing was checked."""
        return not self.faults and self.looked_at > 0


def every_event_type_seen(evidence: Evidence) -> Iterator[str]:
    """Checks that every event type was written to a live topic at least once."""
    seen = {item.event for item in evidence.events if item.mode == Mode.ENFORCE}
    yield from (f"{event.value} was never written" for event in Event if event.value not in seen)


def events_keep_to_the_contract(evidence: Evidence) -> Iterator[str]:
    """Checks value, key, headers and topic of every event against `schemas/`."""
    for item in evidence.events:
        if item.event not in set(Event):
            yield f"{place(item)}: {item.event} is no event"
            continue
        event = Event(item.event)
        try:
            EVENT_MODELS[event].model_validate(item.value)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            yield f"{place(item)}: {event.value} {fault['loc']} {fault['msg']}"
            continue
        headers = {
            "ce_specversion": "1.0",
            "ce_id": item.value["event_id"],
            "ce_source": f"/byline/{item.value['platform']}",
            "ce_type": f"byline.{event.value}.v1",
            "ce_time": item.value["decided_at"],
            "ce_subject": item.value["account_id"],
            "content-type": "application/json",
        }
        if {name: it for name, it in item.headers.items() if name != TRACEPARENT} != headers:
            yield f"{place(item)}: the headers are not those of a CloudEvent"
        if item.key != f"{item.value['platform']}:{item.value['account_id']}":
            yield f"{place(item)}: the key is not the account's"
        if item.topic.rpartition(".")[2] != EVENT_TOPIC[event]:
            yield f"{place(item)}: {event.value} is on the wrong topic"


def no_event_twice(evidence: Evidence) -> Iterator[str]:
    """Checks that no event id was written twice, on any topic."""
    counts = Counter(str(item.value.get("event_id")) for item in evidence.events)
    yield from (f"{event_id} {count} times" for event_id, count in counts.items() if count > 1)


def sequences_rise_by_one(evidence: Evidence) -> Iterator[str]:
    """Checks that `sequence` counts 1, 2, … over the events of an account and mode."""
    for (key, mode), items in by_account(evidence.events).items():
        found = [item.value.get("sequence") for item in items]
        if found != list(range(1, len(found) + 1)):
            yield f"{key} {mode}: {found}"


def exempt_and_unlabelled_untouched(evidence: Evidence) -> Iterator[str]:
    """Checks that no event was written about accounts without one in their storyline or without a
    covered label.
    """
    for key, mode in by_account(evidence.events):
        platform = key.partition(":")[0]
        covered = evidence.covered[platform]
        story = evidence.stories.get(key)
        if story is not None and not story.live and not story.shadow:
            yield f"{key} ({story.name}) was touched ({mode})"
        elif not covered & evidence.labels.get(key, frozenset()):
            yield f"{key} was touched ({mode}) and never had a covered label"


def shadow_stays_in_shadow(evidence: Evidence) -> Iterator[str]:
    """Checks that shadow events are only on shadow topics, and live ones only on live topics."""
    for item in evidence.events:
        shadow = item.topic.startswith(f"{evidence.names.prefix}shadow.")
        if (item.mode == Mode.SHADOW) != shadow:
            yield f"{place(item)}: mode {item.mode}"


def stories_end_as_told(evidence: Evidence) -> Iterator[str]:
    """Checks that every account's events are, in order, those of its storyline."""
    accounts = by_account(evidence.events)
    for key, story in evidence.stories.items():
        for mode, expected in ((Mode.ENFORCE, story.live), (Mode.SHADOW, story.shadow)):
            tokens = [item.token for item in accounts.get((key, mode.value), ())]
            if not as_told(expected, tokens):
                found = " ".join(collapse(tokens)) or "nothing"
                yield f"{story.platform} {story.name} {mode}: {found}; told: {' '.join(expected)}"


def garbage_refused(evidence: Evidence) -> Iterator[str]:
    """Checks that each invalid record has one dead letter with its reason, and valid ones none."""
    found = Counter(str((item.json() or {}).get("reason")) for item in evidence.dead_letters)
    for reason in sorted(found.keys() | evidence.refusals.keys()):
        if found[reason] != evidence.refusals.get(reason, 0):
            yield f"{reason}: {found[reason]}, not {evidence.refusals.get(reason, 0)}"


def planted_names_nowhere(evidence: Evidence) -> Iterator[str]:
    """Checks that no planted name is in any record that Byline wrote, nor in a log or metric."""
    needles = [form for name in PLANTED for form in _forms(name)]
    for what, text in evidence.texts:
        if any(needle in text for needle in needles):
            yield f"a planted name is in {what}"


def decisions_are_chained(evidence: Evidence) -> Iterator[str]:
    """Checks the hash chain of the decisions."""
    yield from broken_links(evidence.decisions)


def run_checks(evidence: Evidence) -> list[Check]:
    """Runs all checks, in the order in which they are shown."""
    checks = []
    for function, statement, what, count in CHECKS:
        checks.append(Check(statement, count(evidence), what, tuple(function(evidence))))
    return checks


def _forms(name: str) -> Iterator[bytes]:
    """Yields a name as text and with JSON escapes, in lower and upper case of the hex digits."""
    escaped = json.dumps(name)[1:-1]
    yield from {form.encode() for form in (name, escaped, escaped.upper().replace("\\U", "\\u"))}


def _restrictions(evidence: Evidence) -> int:
    return sum(item.event == Event.THROTTLE_APPLIED for item in evidence.events)


CHECKS: Sequence[
    tuple[Callable[[Evidence], Iterator[str]], str, str, Callable[[Evidence], int]]
] = (
    (
        no_restriction_before_its_deadline,
        "no restriction before its deadline",
        "restrictions",
        _restrictions,
    ),
    (no_event_twice, "no event id twice", "events", lambda e: len(e.events)),
    (
        sequences_rise_by_one,
        "sequence rises by one per account and mode",
        "lives",
        lambda e: len(by_account(e.events)),
    ),
    (
        exempt_and_unlabelled_untouched,
        "exempt and unlabelled accounts untouched",
        "accounts",
        lambda e: len(by_account(e.events)),
    ),
    (every_event_type_seen, "every event type seen", "types", lambda _: len(Event)),
    (
        stories_end_as_told,
        "every storyline ended as told",
        "storylines",
        lambda e: len(e.stories),
    ),
    (
        shadow_stays_in_shadow,
        "shadow events only on shadow topics",
        "events",
        lambda e: len(e.events),
    ),
    (
        events_keep_to_the_contract,
        "values, keys and headers as the contract says",
        "events",
        lambda e: len(e.events),
    ),
    (
        garbage_refused,
        "all garbage refused, each with its reason",
        "dead letters",
        lambda e: len(e.dead_letters),
    ),
    (
        planted_names_nowhere,
        "planted names found nowhere",
        "records, logs, pages",
        lambda e: len(e.texts),
    ),
    (
        records_keep_to_the_contract,
        "decisions and dead letters as the contract says",
        "records",
        lambda e: len(e.decisions) + len(e.dead_letters),
    ),
    (
        decisions_are_chained,
        "the decisions' hash chain holds",
        "decisions",
        lambda e: len(e.decisions),
    ),
    (
        auditor_finds_nothing,
        "byline audit finds no breach and no break in the chain",
        "records",
        lambda e: len(e.records),
    ),
)
