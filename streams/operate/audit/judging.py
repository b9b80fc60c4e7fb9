"""Judges the steps of a partition one by one, in the order in which its records took effect."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from streams.operate.audit import first_edition, logbook
from streams.operate.audit.caps import AuditedCaps
from streams.operate.audit.event_checks import judge
from streams.operate.audit.happened import Happened
from streams.operate.audit.inputs import overtaken, take_input, take_unreadable
from streams.operate.audit.intake import read_input
from streams.operate.audit.logbook import report
from streams.operate.audit.odd import text
from streams.operate.audit.overdue import GRACE_MS
from streams.operate.audit.partition import AuditedPartition
from streams.operate.audit.records import EARLIER_MS, SECOND, Breach, Record, millis, places
from streams.operate.audit.refusals import RefusalTerms
from streams.operate.audit.terms import AuditedTerms

SWITCHES = "switches"


class Judging:
    """Judges steps; holds what all partitions share: policies, dead letters, switches, caps.

    `whole`: the topics are read from their beginning. `since` (ms): breaches before this instant
    are not reported. `partition_count` None: the partition of a key is not checked.
    `require_approvals`: bulk controls and policies in enforce need two people. `id_key`: the
    setting `ID_KEY`, without which the digests that were made under it are not checked.
    """

    def __init__(
        self,
        *,
        whole: bool = True,
        partition_count: int | None = None,
        require_approvals: bool = False,
        since: int | None = None,
        id_key: bytes | None = None,
    ) -> None:
        self.whole = whole
        self.since = since
        self.policies: dict[str, AuditedTerms] = {}
        self.partitions: dict[int, AuditedPartition] = {}
        self.letters: dict[str, Mapping[str, Any]] = {}
        self.switches: dict[int, Record] = {}
        self.caps = AuditedCaps()
        self.events_seen = 0
        self.decisions_seen = 0
        self.hidden: str | None = None
        """The message on an open transaction that hides the end of a topic, or None."""
        self.unjudged: Counter[int] = Counter()
        """By partition, the events of which the log cannot say any more whether it lists them."""
        self.judged_from = 0
        """The instant (ms) from which on all can be judged, if there are such events."""
        self.begins: Mapping[str, int] = {}
        """By topic and partition (`throttles[3]`), the offset at which the span begins."""
        self.undated: list[Record] = []
        """Events that say that they came before the span, and that no decision of then lists."""
        self.older = 0
        """How many events directly before the span are older than what is left of the log."""
        self._found: list[Breach] = []
        self._trips: Counter[str] = Counter()
        self._trips_said: Counter[str] = Counter()
        self._partition_count = partition_count
        self._require_approvals = require_approvals
        self._id_key = id_key

    @property
    def digests_skipped(self) -> int:
        """How many dead letters have a digest under an `ID_KEY` that this auditor has not."""
        return sum(it.digests_skipped for it in self.partitions.values())

    def take(self, partition: AuditedPartition, thing: Happened) -> None:
        decided, record = thing.decided, thing.record
        assert record is not None
        plain = decided.plain if decided else {}
        match thing.kind:
            case "begin":
                partition.whole, partition.acted_before = self.whole, partition.acted_for
                self._begin(partition, plain, record.place)
            case "input" if thing.edition == 1:
                self._first_edition(partition, record, thing.now)
            case "input":
                partition.newest[record.topic] = record
                letter = self.letters.pop(record.place, None) if self.letters else None
                self._found.extend(take_input(partition, thing, letter, self._setting(partition)))
            case "unreadable" if not self.whole:
                pass
            case "unreadable":
                letter = self.letters.pop(record.place, None)
                take_unreadable(partition, thing, letter, self._setting(partition))
            case "event":
                self.events_seen += 1
                options = {"whole": self.whole, "require_approvals": self._require_approvals}
                self._found.extend(judge(partition, self.policies, thing, self.caps, **options))
            case "unjudged" if self._in_span(record.place):
                self.unjudged[record.partition] += 1
                self._judged_from(record)
            case "unjudged":
                pass
            case "decision":
                self.decisions_seen += 1
                it = logbook.decision(partition, record, plain, self._require_approvals)
                self._found.extend(it)
            case "missing":
                assert thing.listed is not None
                detail = f"{thing.listed['event']} {thing.listed['event_id']}"
                self._found.append(report("decision_without_event", plain, detail, record.place))
            case "switch":
                logbook.turned(partition, plain, record.place, self.switches)
            case "refusal_guard":
                self._trip(partition, plain, record)
            case "policies":
                logbook.policies(partition, plain, self.policies, thing.edition)
            case "end":
                self._end(partition, plain, record, thing.edition)

    def _in_span(self, place: str) -> bool:
        """Returns whether a record lies in the span; the time that it states proves nothing."""
        where, _, offset = place.rpartition("@")
        return self.since is None or (where in self.begins and int(offset) >= self.begins[where])

    def _judged_from(self, record: Record) -> None:
        """Moves `judged_from` behind a record of a cut log, or an event of before it."""
        self.judged_from = max(self.judged_from, record.timestamp + EARLIER_MS + SECOND)

    def _setting(self, partition: AuditedPartition) -> RefusalTerms:
        return RefusalTerms(
            partition.present, self._partition_count, self._require_approvals, self._id_key
        )

    def _begin(self, partition: AuditedPartition, plain: Mapping[str, Any], place: str) -> None:
        opened, changed = plain.get("opened_at"), plain.get("cluster_changed")
        partition.cluster(
            None if changed is None else millis(changed),
            None if opened is None else millis(opened),
            millis(plain["now"]),
            place,
        )

    def _first_edition(self, partition: AuditedPartition, record: Record, now: int) -> None:
        key = text(record.key)
        partition.newest[record.topic] = record
        if self.letters.pop(record.place, None) is not None:
            return
        if key not in partition.accounts and record.topic not in ("controls", "account-changes"):
            return
        value = read_input(record, now, self._partition_count, self._require_approvals)
        platform = key.partition(":")[0]
        if value is None or (partition.present and platform not in partition.present):
            return
        account, present = partition.account(key), partition.present.get(platform)
        below = account.below_since
        first_edition.follow(account, record, value, now, present)
        if account.below_since is not None and below is None and present is not None:
            due = max(now, account.below_since) + present.leave_after
            account.left_at = due
            partition.overdue.watch(due, key, "left", record.place)

    def _trip(self, partition: AuditedPartition, plain: Mapping[str, Any], record: Record) -> None:
        self._trips[plain["platform"]] += 1
        wrong = partition.guard.trip(plain["platform"], plain, record.place)
        if wrong is not None and self.whole:
            detail = f"{plain['platform']}: {wrong}"
            self._found.append(report("guard_tripped_wrongly", plain, detail, record.place))

    def _end(
        self, partition: AuditedPartition, plain: Mapping[str, Any], record: Record, edition: int
    ) -> None:
        now = millis(plain["now"])
        for topic, upto in plain["reads"].items():
            before = partition.replay_order.reads.get(topic, 0)
            if upto < before and topic in partition.rescan:
                partition.rescan -= {topic}
                before = upto
            if upto < before:
                detail = f"{topic}: {upto} after {before}"
                self._found.append(report("reads_moved_back", plain, detail, record.place))
            partition.replay_order.reads[topic] = max(upto, before)
        if edition > 1:
            upto = plain["reads"].get(SWITCHES, 0)
            for it in partition.switches.unread(upto, self.switches):
                self._found.extend(overtaken(it, partition.acted_before, now))
            partition.switches.read(upto, self.switches, now)
        for missing in partition.guard.not_told() if self.whole else ():
            detail, where = f"{missing.platform}: {missing.why}", places(missing.place, record)
            self._found.append(Breach("guard_not_tripped", "", now, detail, where))
        for key, account in partition.touched.items():
            for due in account.due:
                shown = places(due.place, record)
                detail = f"{due.surface} {due.detail}".strip()
                self._found.append(Breach(due.name, key, now, detail, shown))
            account.due = []
        partition.touched = {}
        late = partition.overdue.late(now, partition.accounts, partition.present, record)
        self._found.extend(late)
        self._unsaid(partition, now - GRACE_MS)

    def _unsaid(self, partition: AuditedPartition, before: int | None) -> None:
        """Reports refused inputs that still have no dead letter.

        Those seen at or after `before` (ms) wait, as their dead letter may be read later; None:
        none waits.
        """
        waiting = []
        for seen, place, breach in partition.unsaid:
            if self.letters.pop(place, None) is not None:
                continue
            if before is None or seen < before:
                self._found.append(breach)
            else:
                waiting.append((seen, place, breach))
        partition.unsaid = waiting
