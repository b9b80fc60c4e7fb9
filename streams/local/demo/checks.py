"""The checks of the demo, on all records read back from Kafka.

A check is a function over `DayEvidence` that yields a sentence for each fault;
`tests/local/test_demo_checks.py` shows each one failing. Only the demo knows what was meant to
happen; whether all that did happen keeps the contract and the invariants, the auditor says.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from schemas.enums import Event, Mode
from schemas.topics import DEAD_LETTERS, DECISIONS, TOPICS
from streams.local.demo.day import PLANTED
from streams.local.demo.script import Storyline
from streams.local.demo.tally import DemoTally, SeenEvent
from streams.operate.audit.auditor import READS, Auditor
from streams.operate.audit.happened import plain_of
from streams.operate.audit.records import Record

READ = (DECISIONS, *(topic for topic in READS if topic is not DECISIONS))
"""What is read back. The log comes first, so that every record that it names is read too."""
ROLES = {topic.name: topic.role for topic in TOPICS}


@dataclass(frozen=True)
class DayEvidence:
    """All data that the checks use: records of topics named without prefix.

    `refusals`: by reason, how many dead letters the garbage must have caused. `texts`: everything
    beside the records in which no name may be, with a description. `covered`: by platform, the
    labels that mean a covered field. `partitions`: of a keyed topic.
    """

    stories: Mapping[str, Storyline]
    records: Sequence[Record]
    refusals: Counter[str]
    texts: Sequence[tuple[str, bytes]]
    covered: Mapping[str, frozenset[str]]
    partitions: int

    @cached_property
    def events(self) -> list[SeenEvent]:
        """The events on live and shadow topics."""
        return [SeenEvent.of(it) for it in self.records if ROLES[it.topic] == "output"]

    def of(self, topic: str) -> list[Record]:
        """Returns the records of one topic."""
        return [it for it in self.records if it.topic == topic]


class DemoCheck(NamedTuple):
    """The result of a check: a statement about the day, and the faults that were found.

    `looked_at`: the number of things checked; `what`: what they are.
    """

    statement: str
    looked_at: int
    what: str
    faults: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether there are no faults, and at least one thing was checked."""
        return not self.faults and self.looked_at > 0


def every_event_type_seen(evidence: DayEvidence) -> DemoCheck:
    """Checks that every event type was written to a live topic at least once."""
    seen = {item.event for item in evidence.events if item.mode == Mode.ENFORCE}
    faults = [f"{event.value} was never written" for event in Event if event.value not in seen]
    return DemoCheck("every event type seen", len(Event), "types", faults)


def stories_end_as_told(evidence: DayEvidence) -> DemoCheck:
    """Checks that every account's events are, in order, those of its storyline, and no others."""
    tally, stories = DemoTally(), evidence.stories
    for item in evidence.events:
        tally.saw(0.0, item, None)
    faults = [fault for story in stories.values() for fault in tally.departures(story)]
    others = sorted({key for key, _ in tally.lives} - stories.keys())
    faults += [f"{key} is in no storyline, and has events" for key in others]
    return DemoCheck("every storyline ended as told", len(stories), "storylines", faults)


def unlabelled_untouched(evidence: DayEvidence) -> DemoCheck:
    """Checks that every account with an event had a covered label at some time."""
    touched, labelled = {item.key for item in evidence.events}, set()
    for label in map(plain_of, evidence.of("category-changes")):
        if label.get("category") in evidence.covered.get(str(label.get("platform")), ()):
            labelled.add(f"{label['platform']}:{label['account_id']}")
    faults = [f"{key} never had a covered label" for key in sorted(touched - labelled)]
    return DemoCheck("exempt and unlabelled accounts untouched", len(touched), "accounts", faults)


def garbage_refused(evidence: DayEvidence) -> DemoCheck:
    """Checks that each invalid record has one dead letter with its reason, and valid ones none."""
    letters, wanted = evidence.of(DEAD_LETTERS.name), evidence.refusals
    found = Counter(str(plain_of(item).get("reason")) for item in letters)
    reasons = sorted(found.keys() | wanted.keys())
    faults = [f"{it}: {found[it]}, not {wanted[it]}" for it in reasons if found[it] != wanted[it]]
    statement = "all garbage refused, each with its reason"
    return DemoCheck(statement, len(letters), "dead letters", faults)


def planted_names_nowhere(evidence: DayEvidence) -> DemoCheck:
    """Checks that no planted name is in anything that Byline wrote, also not with JSON escapes."""
    needles = {name.encode() for name in PLANTED}
    for escaped in (json.dumps(name)[1:-1] for name in PLANTED):
        needles |= {escaped.encode(), escaped.upper().replace("\\U", "\\u").encode()}
    texts = [*evidence.texts]
    for record in evidence.records:
        if ROLES[record.topic] != "input":
            heads = (name.encode() + b"=" + value for name, value in record.headers)
            parts = (record.key or b"", record.value or b"", *heads)
            texts.append((record.place, b"\n".join(parts)))
    hits = [what for what, text in texts if any(needle in text for needle in needles)]
    faults = [f"a planted name is in {what}" for what in hits]
    return DemoCheck("planted names found nowhere", len(texts), "records, logs, pages", faults)


def auditor_finds_nothing(evidence: DayEvidence) -> DemoCheck:
    """Checks that the auditor finds no breach of an invariant and has judged every decision."""
    auditor = Auditor(partition_count=evidence.partitions)
    records = [record for record in evidence.records if ROLES[record.topic] != "changelog"]
    for record in records:
        auditor.feed(record)
    breaches = auditor.finish()
    faults = [f"{it.name}: {it.account} {it.detail} {' '.join(it.places)}" for it in breaches]
    log = evidence.of(DECISIONS.name)
    decisions = sum(plain_of(item).get("kind") == "decision" for item in log)
    if auditor.decisions_seen != decisions or not decisions:
        faults.append(f"{auditor.decisions_seen} of {decisions} decisions were judged")
    statement = "byline audit finds no breach and no break in the chain"
    return DemoCheck(statement, len(records), "records", faults)


CHECKS: Sequence[Callable[[DayEvidence], DemoCheck]] = (
    unlabelled_untouched,
    every_event_type_seen,
    stories_end_as_told,
    garbage_refused,
    planted_names_nowhere,
    auditor_finds_nothing,
)
"""In the order in which they are shown."""
