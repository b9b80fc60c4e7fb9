"""The verdict on a run: every check has a name, and says what it found wrong."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka.partitioner import murmur2

from schemas.inputs import INPUT_MODELS
from tests.chaos.apart import each_partition
from tests.chaos.auditing import audit, replay
from tests.chaos.book import Book, bare
from tests.chaos.comparing import follow, refused_places
from tests.chaos.disks import check_disks
from tests.chaos.following import Refused
from tests.chaos.grounds import POLICIES, PREFIX, ChaosSite
from tests.chaos.orders import check_orders
from tests.chaos.replaying import ChaosReplay
from tests.oracle.dead_letters import check_dead_letters, check_keys
from tests.oracle.policy import OraclePolicy, instant, read
from tests.oracle.records import OracleRecord
from tests.oracle.wire import check_outputs

CROWD = re.compile(
    rb'^\{"platform":"(weibo|douyin|bilibili)","account_id":"([a-z]\d+)","followers":\d{1,6},'
    rb'"observed_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\}$'
)


@dataclass
class ChaosVerdict:
    """What the checks found, by name, and what they counted."""

    breaches: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def violations(self) -> int:
        """How many breaches in all."""
        return sum(map(len, self.breaches.values()))


def policies() -> dict[str, OraclePolicy]:
    """The run's policies as the oracle reads them."""
    return {path.stem: read(path) for path in sorted(POLICIES.glob("*.yaml"))}


def judge(
    book: Book, site: ChaosSite | None, acked_at: Mapping[tuple[int, int], float], until: float
) -> ChaosVerdict:
    """All checks. `until`: the instant at which the workers were told to stop.

    `acked_at`: when the broker had each answer, by (partition, offset).
    """
    verdict = ChaosVerdict()
    end = datetime.fromtimestamp(until, UTC)

    def check(name: str, found: Callable[[], list[str]]) -> None:
        try:
            verdict.breaches[name] = found()
        except Exception as error:
            verdict.breaches[name] = [f"the check itself failed: {error!r}"]

    verdict.counts = _counts(book)
    check("replay", lambda: _replay(book, verdict))
    check("model", lambda: _model(book, end, verdict))
    check("orders", lambda: check_orders(book, policies(), end, verdict.counts))
    check("wire", lambda: check_outputs(book.outputs, partitions=book.partitions, prefix=PREFIX))
    check("dead letters", lambda: _dead_letters(book))
    check("chain", lambda: _chain(book))
    check("positions", lambda: _positions(book))
    check("open transactions", lambda: _open(book))
    check("answers in time", lambda: _in_time(book, acked_at, verdict))
    check("early timers", lambda: _early(book, verdict))
    if site is not None:
        check("audit", lambda: audit(site, verdict.counts))
        check("byline replay", lambda: replay(site, verdict.counts))
        check("disks", lambda: check_disks(book, site, verdict.counts))
    return verdict


def _counts(book: Book) -> dict[str, int]:
    inputs = sum(len(own) for name in INPUT_MODELS for own in book.topics[name].values())
    return {
        "inputs": inputs,
        "events": len(book.outputs),
        "dead letters": len(book.all(["dead-letters"])),
        "decisions": len(book.all(["decisions"])),
    }


def _replay(book: Book, verdict: ChaosVerdict) -> list[str]:
    breaches: list[str] = []
    tally: Counter[str] = Counter()
    written: Counter[bytes] = Counter()
    for found, counts, trips in each_partition(book, _replay_one):
        breaches += found
        tally.update(counts)
        written.update(trips)
    verdict.counts.update(tally)
    kept = Counter(one.value or b"" for one in book.of("switches", 0) if _by_byline(one))
    if kept != written:
        breaches.append(f"switches: guards wrote {written - kept} more, {kept - written} fewer")
    return breaches


def _replay_one(book: Book, partition: int) -> tuple[list[str], dict[str, int], list[bytes]]:
    replay = ChaosReplay(book, partition)
    found = replay.run()
    counts = {
        "transactions": replay.transactions,
        "openings of a partition": replay.openings,
        "trips of a refusal guard": len(replay.trips),
    }
    return found, counts, replay.trips


def _by_byline(record: OracleRecord) -> bool:
    """Whether a worker wrote this switch; anybody else's may not even be JSON."""
    return b'"actor":"byline"' in (record.value or b"")


def _model(book: Book, end: datetime, verdict: ChaosVerdict) -> list[str]:
    breaches, events = follow(book, policies(), end)
    verdict.counts["events of the model"] = events
    return breaches


def _plainly_right(record: OracleRecord, partitions: int, refused: Refused) -> bool:
    """A reading as the sender writes the crowd's, and accepted: not worth the oracle's time."""
    name = bare(record.topic)
    if name != "follower-counts" or (name, record.partition, record.offset) in refused:
        return False
    match = CROWD.match(record.value or b"")
    if match is None or record.key != match[1] + b":" + match[2]:
        return False
    return (murmur2(record.key) & 0x7FFFFFFF) % partitions == record.partition


def _dead_letters(book: Book) -> list[str]:
    letters = book.all(["dead-letters"])
    refused = refused_places(book)
    inputs = [one for one in book.inputs if not _plainly_right(one, book.partitions, refused)]
    return [
        *check_dead_letters(
            letters,
            inputs,
            partitions=book.partitions,
            prefix=PREFIX,
            platforms=list(policies()),
        ),
        *check_keys(letters, inputs),
    ]


def _chain(book: Book) -> list[str]:
    """Every decision names the one before it; transactions' positions never go back."""
    breaches = []
    for partition in range(book.partitions):
        previous, reads = "0" * 64, dict[str, int]()
        for number, record in enumerate(book.of("decisions", partition), 1):
            value = json.loads(record.value or b"")
            if value["previous"] != previous or value["number"] != number:
                breaches.append(f"{record.place}: does not follow on the one before")
            previous = value["hash"]
            if value["kind"] == "transaction":
                back = {t for t, after in value["reads"].items() if after < reads.get(t, 0)}
                if back:
                    breaches.append(f"{record.place}: the positions of {back} go back")
                reads = value["reads"]
    return breaches[:20]


def _positions(book: Book) -> list[str]:
    """`next` in the changelog is the end of every input, once all is drained."""
    breaches = []
    for partition in range(book.partitions):
        raw = book.fold("accounts", partition).get(b"#next")
        if raw is None:
            breaches.append(f"partition {partition}: has no position")
            continue
        for topic, after in msgspec.json.decode(raw)["next"].items():
            home = 0 if bare(topic) == "switches" else partition
            if after != book.high[topic, home]:
                breaches.append(f"{topic}[{partition}]: next is {after}, {book.high[topic, home]}")
    return breaches


def _open(book: Book) -> list[str]:
    return [
        f"{topic}[{number}]: stable to {book.stable[topic, number]}, high watermark {high}"
        for (topic, number), high in book.high.items()
        if book.stable[topic, number] != high
    ]


def _in_time(
    book: Book, acked_at: Mapping[tuple[int, int], float], verdict: ChaosVerdict
) -> list[str]:
    """A granted that the broker had before the deadline: no `expired` of its cycle comes before."""
    answers: dict[str, list[tuple[float, str | None]]] = defaultdict(list)
    refused = refused_places(book)
    for record in book.all(["consent-answers"]):
        place = ("consent-answers", record.partition, record.offset)
        if place in refused or record.key is None or record.value is None:
            continue
        value = json.loads(record.value)
        had_at = acked_at.get((record.partition, record.offset))
        if value["answer"] == "granted" and had_at is not None:
            answers[record.key.decode()].append((had_at, value.get("invitation_id")))
    breaches, raced = [], 0
    issued: dict[str, float] = {}
    events = [json.loads(record.value or b"") for record in book.outputs]
    for event in events:
        if event["event"] == "invitation.delivered":
            issued[event["invitation_id"]] = instant(event["decided_at"]).timestamp()
    for event in events:
        if event["event"] != "invitation.expired" or event["mode"] != "enforce":
            continue
        key = f"{event['platform']}:{event['account_id']}"
        deadline = instant(event["deadline_at"]).timestamp()
        begun = issued.get(event["invitation_id"], deadline)
        mine = (None, event["invitation_id"])
        for had_at, named in answers.get(key, []):
            raced += abs(had_at - deadline) < 1
            if begun < had_at < deadline and named in mine:
                breaches.append(f"{key}: answered {deadline - had_at:.3f} s before it expired")
    verdict.counts["answers within 1 s of an expiry"] = raced
    return breaches


def _early(book: Book, verdict: ChaosVerdict) -> list[str]:
    """No timer before its instant; none twice; how late they were."""
    breaches, lates = [], []
    times: Counter[tuple[str, str]] = Counter()
    for record in book.outputs:
        event = json.loads(record.value or b"")
        if event["event"] == "invitation.expired":
            lates.append((_at(event, "decided_at") - _at(event, "deadline_at")).total_seconds())
            times[event["invitation_id"], event["event"]] += 1
            if lates[-1] < 0:
                breaches.append(f"{record.place}: expired {-lates[-1]} s early")
    breaches += [f"{name}: {what} {n} times" for (name, what), n in times.items() if n > 1]
    verdict.counts["expiries"] = len(lates)
    verdict.counts["latest expiry, seconds"] = round(max(lates, default=0))
    return breaches


def _at(event: dict[str, Any], name: str) -> datetime:
    return instant(event[name])
