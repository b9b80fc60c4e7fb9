"""The whole auditor, pure: records in, breaches out. It holds one partition's accounts apart."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.topics import DEAD_LETTERS, DECISIONS, INPUTS, OUTPUTS, POLICIES
from streams.operate.audit import people
from streams.operate.audit.event_checks import judge
from streams.operate.audit.intake import read_input
from streams.operate.audit.lineup import Happened, bare, plain_of
from streams.operate.audit.partition import RESCANNED, Partition
from streams.operate.audit.records import Breach, Record, millis, places
from streams.operate.audit.terms import Terms, read_terms

READS = (*INPUTS, *OUTPUTS, DECISIONS, POLICIES, DEAD_LETTERS)
"""The topics that are read."""


class Auditor:
    """Feed it the records of every topic, each partition of a topic in order; ask it for breaches.

    `whole` says that the topics are read from their beginning: only then is a life without a
    beginning a breach. `since` (ms): what was decided earlier is taken in and not reported.
    `partition_count` None leaves the key's partition unchecked.
    """

    def __init__(
        self,
        *,
        whole: bool = True,
        partition_count: int | None = None,
        require_approvals: bool = False,
        since: int | None = None,
    ) -> None:
        self.whole = whole
        self.since = since
        self.policies: dict[str, Terms] = {}
        self.partitions: dict[int, Partition] = {}
        self.refused: set[str] = set()
        self.events_seen = 0
        self.decisions_seen = 0
        self._found: list[Breach] = []
        self._partition_count = partition_count
        self._require_approvals = require_approvals

    # ---- in ------------------------------------------------------------------------------------

    def feed(self, record: Record) -> None:
        """Take one record."""
        if record.topic == POLICIES.name:
            self._policy(record)
        elif record.topic == DEAD_LETTERS.name:
            self._dead_letter(record)
        else:
            partition = self._of(record.partition)
            if record.topic == DECISIONS.name:
                self._found.extend(partition.link(record, self.whole))
            partition.lineup.take(record)

    def reached(self, topic: str, partition: int, offset: int) -> None:
        """Everything of this topic's partition below `offset` has been fed (markers have gaps)."""
        if topic not in (POLICIES.name, DEAD_LETTERS.name, "switches"):
            lineup = self._of(partition).lineup
            lineup.reached[topic] = max(offset, lineup.reached.get(topic, 0))

    def waits_for(self, topic: str, partition: int) -> bool:
        """Whether more of this topic is needed before anything else can be judged."""
        lineup = self._of(partition).lineup
        return lineup.waiting_for == topic or not lineup.buffered(topic)

    def buffered(self, topic: str, partition: int) -> int:
        """How many records of a topic's partition wait for their order."""
        return self._of(partition).lineup.buffered(topic)

    # ---- out -----------------------------------------------------------------------------------

    def breaches(self) -> list[Breach]:
        """Judge all that can be judged by now."""
        for partition in list(self.partitions.values()):
            for thing in partition.lineup.happened():
                self._take(partition, thing)
        found, self._found = self._found, []
        return [it for it in found if self.since is None or it.at >= self.since]

    def finish(self) -> list[Breach]:
        """Everything has been fed: judge the rest."""
        for partition in self.partitions.values():
            partition.lineup.complete = True
        return self.breaches()

    # ---- each thing in its order -----------------------------------------------------------------

    def _take(self, partition: Partition, thing: Happened) -> None:
        decided, record = thing.decided, thing.record
        assert record is not None
        match thing.kind:
            case "input":
                self._input(partition, record, thing.now)
            case "event":
                self.events_seen += 1
                found = judge(
                    partition,
                    self.policies,
                    thing,
                    whole=self.whole,
                    require_approvals=self._require_approvals,
                )
                self._found.extend(found)
            case "decision":
                self.decisions_seen += 1
                self._decision(partition, record, decided.plain if decided else {})
            case "missing":
                assert decided is not None
                assert thing.listed is not None
                detail = f"{thing.listed['event']} {thing.listed['event_id']}"
                self._report("decision_without_event", decided.plain, detail, record.place)
            case "switch" if decided is not None:
                plain = decided.plain
                partition.brakes.turn(
                    plain["scope"],
                    plain["switch"],
                    plain["on"],
                    millis(plain["issued_at"]),
                    record.place,
                )
            case "policies" if decided is not None:
                self._policies(partition, decided.plain)
            case "end" if decided is not None:
                self._end(partition, decided.plain, record)
            case _:
                pass

    def _input(self, partition: Partition, record: Record, now: int) -> None:
        key = (record.key or b"").decode(errors="replace")
        partition.newest[record.topic] = record
        if record.place in self.refused:
            self.refused.discard(record.place)
            return
        if key not in partition.accounts and record.topic not in ("controls", "account-changes"):
            return
        value = read_input(record, now, self._partition_count, self._require_approvals)
        platform = key.partition(":")[0]
        if value is None or (partition.present and platform not in partition.present):
            return
        account, present = partition.account(key), partition.present.get(platform)
        below = account.below_since
        people.follow(account, record, value, now, present)
        if account.below_since is not None and below is None and present is not None:
            due = max(now, account.below_since) + present.leave_after
            partition.overdue.watch(due, key, "", record.place)

    def _decision(self, partition: Partition, record: Record, plain: Mapping[str, Any]) -> None:
        key, cause, facts = _key(plain), plain["cause"], plain.get("facts", {})
        if "offset" in cause and bare(cause["topic"]) != "switches":
            before = partition.lineup.reads.get(bare(cause["topic"]), 0)
            again = bare(cause["topic"]) in partition.rescan
            if cause["offset"] < before and not again and (plain["events"] or plain["transitions"]):
                detail = f"{cause['topic']}@{cause['offset']}, {before} were read"
                self._report("input_applied_twice", plain, detail, record.place)
            self._cause(partition, record, plain)
        # Who is about to be told something for the first time has been read and labelled before.
        account = partition.account(key) if plain["events"] else partition.accounts.get(key)
        if account is not None:
            for field, attribute in (
                ("label_observed_at", "label_at"),
                ("observed_at", "reading_at"),
            ):
                if isinstance(facts.get(field), str):
                    at = max(millis(facts[field]), getattr(account, attribute))
                    setattr(account, attribute, at)

    def _cause(self, partition: Partition, record: Record, plain: Mapping[str, Any]) -> None:
        """The input that caused a decision is the account's own, and two people stand behind it."""
        cause = partition.newest.get(bare(plain["cause"]["topic"]))
        if cause is None or cause.offset != plain["cause"]["offset"]:
            return
        if (cause.key or b"").decode(errors="replace") != _key(plain):
            where = (record.place, cause.place)
            self._report("crossed_accounts", plain, "caused by another's record", *where)
        if self._require_approvals and cause.topic == "controls":
            named = plain_of(cause)
            if named.get("bulk_id") and named.get("approved_by") in (None, named.get("actor")):
                self._report("unapproved_bulk", plain, "", record.place, cause.place)

    def _policies(self, partition: Partition, plain: Mapping[str, Any]) -> None:
        partition.present = {}
        partition.rescan = RESCANNED if partition.lineup.reads else frozenset()
        for platform, text in plain["policies"].items():
            terms = self.policies.get(str(text).partition(":")[2])
            if terms is not None:
                partition.present[platform] = terms

    def _end(self, partition: Partition, plain: Mapping[str, Any], record: Record) -> None:
        now = millis(plain["now"])
        for topic, upto in plain["reads"].items():
            before = partition.lineup.reads.get(topic, 0)
            if upto < before and topic in partition.rescan:
                partition.rescan -= {topic}
                before = upto
            if upto < before:
                detail = f"{topic}: {upto} after {before}"
                self._report("reads_moved_back", plain, detail, record.place)
            partition.lineup.reads[topic] = max(upto, before)
        for key, account in partition.touched.items():
            for due in account.due:
                shown = places(due.place, record)
                detail = f"{due.surface} {due.detail}".strip()
                self._found.append(Breach(due.name, key, now, detail, shown))
            account.due = []
        partition.touched = {}
        self._found.extend(partition.overdue.late(now, partition.accounts, record))

    # ---- the other topics ------------------------------------------------------------------------

    def _policy(self, record: Record) -> None:
        if record.value is None:
            return
        digest = (record.key or b"").decode(errors="replace")
        try:
            terms = read_terms(record.value)
        except (ValueError, KeyError, TypeError):
            terms = None
        if terms is None or hashlib.sha256(record.value).hexdigest() != digest:
            self._found.append(Breach("policy_altered", digest, 0, "", (record.place,)))
        if terms is not None:
            self.policies[digest] = terms

    def _dead_letter(self, record: Record) -> None:
        plain = plain_of(record)
        if {"topic", "partition", "offset"} <= plain.keys():
            topic = bare(plain["topic"])
            self.refused.add(f"{topic}[{plain['partition']}]@{plain['offset']}")

    def _of(self, number: int) -> Partition:
        if number not in self.partitions:
            self.partitions[number] = Partition(number)
        return self.partitions[number]

    def _report(self, name: str, plain: Mapping[str, Any], detail: str, *where: str) -> None:
        self._found.append(Breach(name, _key(plain), millis(plain["now"]), detail, places(*where)))


def audit(records: Iterable[Record], **options: Any) -> list[Breach]:
    """Every breach in these records: each topic's partitions in order, else in any order."""
    auditor = Auditor(**options)
    for record in records:
        auditor.feed(record)
    return auditor.finish()


def _key(plain: Mapping[str, Any]) -> str:
    return f"{plain['platform']}:{plain['account_id']}" if "account_id" in plain else ""
