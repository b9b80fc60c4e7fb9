"""Collects the evidence of a day: reads everything back that Byline wrote and got."""

from collections import Counter, defaultdict

from schemas.topics import CHANGELOGS, DEAD_LETTERS, DECISIONS, OUTPUTS, POLICIES, TopicNames
from streams.local.demo.audited import for_the_auditor
from streams.local.demo.day import Play
from streams.local.demo.evidence import Evidence
from streams.local.demo.probe import get
from streams.local.demo.reading import Raw, read_back, seen
from streams.local.demo.stage import PARTITIONS, partitions
from streams.operate.audit.auditor import READS

WRITTEN = (*OUTPUTS, DECISIONS, POLICIES, DEAD_LETTERS, *CHANGELOGS)


async def gather(play: Play) -> Evidence:
    """Reads all records of all topics, the logs and the metrics pages, for the checks."""
    names = play.names
    records = await _records(play.stage.bootstrap, names)
    by_topic: dict[str, list[Raw]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    return Evidence(
        names=names,
        stories=play.day.stories,
        events=[seen(record) for topic in OUTPUTS for record in by_topic[names.of(topic)]],
        dead_letters=by_topic[names.of(DEAD_LETTERS)],
        refusals=Counter(item.reason.value for item in play.rubbish if item.reason),
        decisions=by_topic[names.of(DECISIONS)],
        texts=_texts(play, [it for topic in WRITTEN for it in by_topic[names.of(topic)]]),
        covered={name: frozenset(policy.covered_labels) for name, policy in play.policies.items()},
        labels=_labels(by_topic[names.input("category-changes")]),
        records=for_the_auditor(
            [it for topic in READS for it in by_topic[names.of(topic)]], play.names
        ),
        partitions=PARTITIONS,
    )


async def _records(bootstrap: str, names: TopicNames) -> list[Raw]:
    """Reads all records; the decision log first, so that every record it names is read too."""
    log = {names.of(DECISIONS): PARTITIONS}
    others = {names.of(topic): partitions(topic) for topic in (*READS, *CHANGELOGS)}
    decisions = await read_back(bootstrap, log)
    return decisions + await read_back(bootstrap, {k: v for k, v in others.items() if k not in log})


def _texts(play: Play, records: list[Raw]) -> list[tuple[str, bytes]]:
    texts = [(f"{item.topic}[{item.partition}]@{item.offset}", item.everything) for item in records]
    texts += [(f"the log {path.name}", path.read_bytes()) for path in play.stage.logs]
    for worker in play.stage.workers:
        texts.append((f"/metrics of {worker.name}", get(worker.port, "/metrics")[1]))
    return texts


def _labels(records: list[Raw]) -> dict[str, frozenset[str]]:
    labels: dict[str, set[str]] = defaultdict(set)
    for record in records:
        value = record.json()
        if isinstance(value, dict):
            labels[record.key.decode(errors="replace")].add(str(value.get("category")))
    return {key: frozenset(found) for key, found in labels.items()}
