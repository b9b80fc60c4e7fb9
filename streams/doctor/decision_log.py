"""The doctor's look at the decision log: does each partition still have its beginning?"""

from aiokafka import TopicPartition

from schemas.topics import DAY_MS, DECISIONS, EVENT_RETENTION_MS
from streams.core.model.instants import rfc3339
from streams.doctor.looks import SEE_MORE, Finding, Verdict, well, wrong
from streams.kafka.requests.metadata import view_topics
from streams.kafka.rights import RIGHTS_ERRORS
from streams.operate.audit.begins import cut_of
from streams.operate.audit.reading import Reader
from streams.operate.audit.records import EARLIER_MS, SECOND
from streams.operate.clients import consumer
from streams.operate.topics import names_of
from streams.settings import Settings

SEGMENT_MS = 30 * DAY_MS
"""Retention deletes whole segments, so it keeps some records longer, and a gap between two counts
as the age of the later one: a begin that is so much younger (ms) than retention is still its."""
_ANCHOR = "`byline audit --against` an anchor says up to where it was whole"
_WHO = (
    "Retention takes what is older than three years, so this may be its doing only where nothing"
    " was decided for years; else somebody deleted records"
)


async def decision_log(settings: Settings, now: int) -> list[Finding]:
    """Checks where each partition of the log begins; `now` is in ms. Raises OperateError."""
    name = names_of(settings).of(DECISIONS)
    async with consumer(settings) as client:
        topic = (await view_topics(client._client, [name])).topics.get(name)
        if topic is None or topic.error or not topic.partitions:
            return [Finding(Verdict.UNKNOWN, f"{name} is not there, or may not be seen", SEE_MORE)]
        partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
        reader = Reader(client, settings.topic_prefix)
        try:
            cut = await cut_of(reader, partitions)
        except RIGHTS_ERRORS:
            begins = await reader.beginnings(partitions)
            return [_unread(f"{it.topic}[{it.partition}]", at) for it, at in begins.items() if at]
    found = [_cut(f"{it.topic}[{it.partition}]", *cut[it], now) for it in sorted(cut)]
    return found or [well(f"each of its {len(partitions)} partitions begins with its first record")]


def _unread(place: str, offset: int) -> Finding:
    """Returns the finding on a cut partition that may not be read."""
    words = f"{place} begins at offset {offset}: what came before is gone, and since when only who"
    return Finding(Verdict.UNKNOWN, f"{words} may read it can see", SEE_MORE)


def _cut(place: str, offset: int, at: int | None, now: int) -> Finding:
    """Returns the finding on a partition that begins at an offset whose record is of `at` (ms)."""
    if at is None:
        words = f"{place} is empty: all decisions before offset {offset} are gone"
        return wrong(words, f"{_ANCHOR}. {_WHO}")
    begins = f"{place} begins at offset {offset}, {rfc3339(at)}"
    if at <= now - EVENT_RETENTION_MS + SEGMENT_MS:
        return well(f"{begins}: retention took what came before")
    since = rfc3339(at + EARLIER_MS + SECOND)
    cure = f"`byline audit --from {since}` judges what is left. {_ANCHOR}. {_WHO}"
    return wrong(f"{begins}: all decisions before it are gone", cure)
