"""Collects the content of the evidence file from the topics: policies, counts, chain, samples."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from schemas.topics import DECISIONS
from streams.core.model.instants import rfc3339
from streams.evidence.samples import Anew, Draw, Sample, rederive
from streams.index.history import TakenUp, history, taken_up
from streams.kafka.consumer import TolerantConsumer
from streams.operate.audit.chain import Verified
from streams.operate.audit.happened import plain_of
from streams.operate.audit.head import anchor_of, digest_of, heads_of
from streams.operate.audit.reading import read_to_end, verify_log
from streams.operate.audit.records import Breach, Record, millis
from streams.operate.audit.run_audit import Span, audit_topics
from streams.operate.clients import consumer
from streams.operate.errors import EndHiddenError
from streams.replay.recorded import policy_texts
from streams.settings import Settings
from streams.settings_checks import id_key

FORM = "byline-evidence/1"
_TAKEN_UP = b"#policies"
MOST_BREACHES = 1_000


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """What the file covers: a period, one platform or all (None), and the number of samples.

    `start` and `end`: milliseconds UTC; `end` is exclusive.
    """

    start: int
    end: int
    platform: str | None = None
    samples: int = 20

    def takes(self, plain: Mapping[str, Any]) -> bool:
        """Whether a record of the decision log is a decision of this period and platform."""
        if plain.get("kind") != "decision":
            return False
        if self.platform is not None and plain.get("platform") != self.platform:
            return False
        with suppress(ValueError, TypeError):
            return self.start <= millis(str(plain.get("now"))) < self.end
        return False


@dataclass(slots=True)
class Evidence:
    """The collected evidence; `as_dict` is the content of the file.

    `judged`: the numbers of decisions and events that the auditor judged. `unjudged`: events of
    which Kafka no longer has what the log said, or that no decision of the time that they state
    lists. `events`: counts by platform, mode, event, surface and reason.
    """

    asked: EvidenceRequest
    verified: Verified
    policies: list[dict[str, Any]] = field(default_factory=list)
    events: Counter[tuple[str, ...]] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    judged: tuple[int, int] = (0, 0)
    unjudged: int = 0
    breaches: list[Breach] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the chain holds, all is judged, no invariant is broken, and no sample differs."""
        otherwise = any(it.anew is Anew.OTHERWISE for it in self.samples)
        return not (self.verified.breaks or self.breaches or self.unjudged or otherwise)

    def came_out(self, anew: Anew) -> int:
        """Returns the number of samples with this result."""
        return sum(it.anew is anew for it in self.samples)

    def as_dict(self, made_at: int, version: str) -> dict[str, Any]:
        """Returns the content of the file. `made_at`: milliseconds UTC. `version`: Byline's."""
        names = ("platform", "mode", "event", "surface", "reason")
        counts = [
            {**dict(zip(names, key, strict=True)), "count": count}
            for key, count in sorted(self.events.items())
        ]
        return {
            "form": FORM,
            "made_at": rfc3339(made_at),
            "byline": version,
            "from": rfc3339(self.asked.start),
            "to": rfc3339(self.asked.end),
            "platform": self.asked.platform,
            "policies": self.policies,
            "decisions": self.decisions,
            "ignored": dict(sorted(self.ignored.items())),
            "events": counts,
            "chain": self._chain(),
            "invariants": {
                "decisions_judged": self.judged[0],
                "events_judged": self.judged[1],
                "events_unjudged": self.unjudged,
                "breaches": [it.as_dict() for it in self.breaches[:MOST_BREACHES]],
                "breach_count": len(self.breaches),
            },
            "samples": [it.as_dict() for it in self.samples],
            "sound": self.sound,
        }

    def _chain(self) -> dict[str, Any]:
        spans = [
            {
                "partition": number,
                "from_number": it.first,
                "from_time": it.began,
                "to_number": None if it.number is None else it.number - 1,
                "to_time": it.ended,
                "records": it.records,
            }
            for number, it in sorted(self.verified.chains.items())
        ]
        breaks = [asdict(it) for it in self.verified.breaks[:MOST_BREACHES]]
        head = anchor_of(heads_of(self.verified))
        return {"verified": spans, "breaks": breaks, "head": head}


async def gather(settings: Settings, asked: EvidenceRequest) -> Evidence:
    """Reads the topics, verifies the log, audits the period, and decides samples again.

    Raises:
        MissingTopicsError: a topic is missing.
        KafkaAbsentError: Kafka does not answer.
        NoRightError: a right is missing.
        EndHiddenError: an open transaction hides the end of a topic.
    """
    async with consumer(settings) as client:
        found = Evidence(asked, await verify_log(client, settings.topic_prefix))
        draw = Draw(digest_of(heads_of(found.verified)), asked.samples)
        lines: list[TakenUp] = []
        async for record in _log(client, settings):
            _count(found, draw, lines, record)
        texts = (await policy_texts(client, settings)).known
        _policies(found, lines, texts)
        if asked.samples:
            await _sample(client, settings, found, draw)
        count = settings.partitions or await _partition_count(client, settings)
    await rederive(settings, found.samples, count, texts)
    async with consumer(settings) as client:
        done = await audit_topics(
            client,
            settings.topic_prefix,
            Span(asked.start, asked.end),
            found.breaches.extend,
            require_approvals=settings.require_approvals,
            partitions=settings.partitions,
            id_key=id_key(settings),
        )
    if done.hidden:
        raise EndHiddenError(done.hidden)
    found.unjudged = done.unjudged.total() + len(done.undated)
    found.judged = (done.decisions_seen, done.events_seen)
    return found


async def _partition_count(client: TolerantConsumer, settings: Settings) -> int:
    cluster = await client._client.fetch_all_metadata()
    return len(cluster.partitions_for_topic(settings.topic_prefix + DECISIONS.name) or ())


def _log(client: TolerantConsumer, settings: Settings) -> Any:
    return read_to_end(client, settings.topic_prefix, [DECISIONS.name])


def _count(found: Evidence, draw: Draw, lines: list[TakenUp], record: Record) -> None:
    if record.key == _TAKEN_UP:
        with suppress(msgspec.MsgspecError):
            lines.append(taken_up(record.partition, record.value or b""))
        return
    plain = plain_of(record)
    if not found.asked.takes(plain) or not _verified(found, record.partition, plain):
        return
    found.decisions += 1
    if plain.get("ignored") is not None:
        found.ignored[str(plain["ignored"])] += 1
    for it in plain.get("events") or ():
        names = (it["mode"], it["event"], it["surface"] or "", it["reason"])
        found.events[(str(plain["platform"]), *map(str, names))] += 1
    draw.offer(record.partition, plain["number"], str(plain["hash"]))


def _verified(found: Evidence, partition: int, plain: Mapping[str, Any]) -> bool:
    """Whether the verified chain includes a record; workers may have written it later."""
    chain = found.verified.chains.get(partition)
    last = None if chain is None else chain.number
    return last is not None and plain["number"] < last


def _policies(found: Evidence, lines: list[TakenUp], texts: Mapping[str, bytes]) -> None:
    """Adds the policies that were in force at any time of the period, with their text."""
    asked = found.asked
    for it in history(lines, texts, asked.platform):
        ended = it.until is not None and millis(it.until) <= asked.start
        if millis(it.since) < asked.end and not ended:
            text = texts.get(it.digest)
            plain = None if text is None else msgspec.json.decode(text)
            found.policies.append({**it.as_dict(), "text": plain})


async def _sample(
    client: TolerantConsumer, settings: Settings, found: Evidence, draw: Draw
) -> None:
    drawn = draw.drawn()
    async for record in _log(client, settings):
        plain = plain_of(record)
        if (record.partition, plain.get("number")) in drawn and found.asked.takes(plain):
            place, number = record.place, int(plain["number"])
            found.samples.append(Sample(place, record.partition, number, plain))
    found.samples.sort(key=lambda it: (it.partition, it.number))
