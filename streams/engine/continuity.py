"""Checks, when a partition is opened, that its state and the topics still belong together.

Each error states what to do, with exit code 2, because going on would skip records or read all of
them again. With `favourable_only` a partition goes on if only inputs are missing: a missing input
could only speak against an adverse event, and adverse events are not decided in this mode. A topic
is *made anew* if it was deleted and created again; it then has another topic id.
"""

import logging
from collections.abc import Collection, Iterable, Mapping

import msgspec

from streams.engine.checkpoint import FORMAT, Checkpoint
from streams.kafka.requests.metadata import TopicView
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

SECOND_TIME = "A new application id is no way out: it would send every event a second time"
MEANWHILE = "until then `byline worker --favourable-only` serves lifts, grants and withdrawals"
REBUILD = (
    "`byline cluster rebuild` makes the state anew, from a worker's disk or from the decision log "
    "and the inputs, and says what is lost where these do not reach back"
)

logger = logging.getLogger(__name__)


def accept(topic: str, topic_id: str) -> str:
    """Returns the sentence that tells an operator how to accept a topic that was made anew."""
    return (
        "Restore what it held if you can, then accept it: `byline cluster accept "
        f"{topic}={topic_id}` says what that means"
    )


def check_format(found: int, partition: int) -> None:
    """Checks the format number of a checkpoint.

    Raises:
        StopWorker: a newer version wrote it.
    """
    if found > FORMAT:
        raise StopWorker(
            f"the state of partition {partition} has format {found}, this version knows formats "
            f"up to {FORMAT}: a newer version has written it. Start that version again",
            ExitCode.PERSON,
        )


def check_checkpoint(
    checkpoint: Checkpoint,
    partition: int,
    partition_count: int,
    application_id: str,
    known: Iterable[str],
    topics: Mapping[str, TopicView],
    changelogs: Collection[str],
    favourable_only: bool = False,
) -> Checkpoint:
    """Checks a checkpoint against the topics. Returns the checkpoint to go on from.

    `known`: the names of the inputs. `topics`: the broker's view of all topics, by name. With
    `favourable_only` an input that was made anew is read from its beginning, and its old id is kept
    because it is not accepted yet. Without topic ids (old brokers) nothing is compared.

    Raises:
        StopWorker: the state belongs to another partition count or to other topics, or a topic was
            made anew and not accepted.
    """
    if checkpoint.partitions != partition_count:
        raise StopWorker(
            f"the state of partition {partition} was built with {checkpoint.partitions} "
            f"partitions, now {partition_count} are in use: keys would be looked for in the wrong "
            f"place. Set BYLINE_PARTITIONS={checkpoint.partitions} to go on with the old ones, "
            "have producers write to these alone, and move what lies in the others with "
            f"`byline cluster reroute`. {SECOND_TIME}",
            ExitCode.PERSON,
        )
    strange = sorted(set(checkpoint.next) - set(known))
    if strange:
        raise StopWorker(
            f"the state of application id {application_id} belongs to other topics: it has read "
            f"{', '.join(strange)}. Put the topic prefix back, or take another application id for "
            "this prefix: one id works for one prefix alone",
            ExitCode.PERSON,
        )
    reads, served, anew = dict(checkpoint.next), dict[str, str](), dict(checkpoint.anew)
    for topic, topic_id in checkpoint.ids.items():
        now = topics.get(topic)
        if now is None or not now.id or now.id == topic_id:
            continue
        said = (
            f"{topic} was deleted and made anew: partition {partition} has worked with topic id "
            f"{topic_id}, now it is {now.id}. "
        )
        if topic in changelogs:
            way_out = (
                f"If it holds all that it held: `byline cluster accept {topic}={now.id} --read on`"
            )
            raise StopWorker(f"{said}{way_out}. Else {REBUILD}. {SECOND_TIME}", ExitCode.PERSON)
        if not favourable_only:
            raise StopWorker(
                f"{said}What was in it and unread is lost, and offsets mean something else. "
                f"{accept(topic, now.id)}; {MEANWHILE}. {SECOND_TIME}",
                ExitCode.PERSON,
            )
        if checkpoint.served.get(topic) != now.id:
            logger.warning(
                "partition %d: %s was made anew and is not accepted; it is read from its beginning",
                partition,
                topic,
                extra=event("topic_made_anew_not_accepted"),
            )
            anew |= since_when(topic, reads.pop(topic, 0), anew)
        served[topic] = now.id
    # Beyond the offset that was reached in the old topic, the two need no distinction any more.
    anew = {topic: before for topic, before in anew.items() if reads.get(topic, 0) < before}
    return msgspec.structs.replace(checkpoint, next=reads, served=served, anew=anew)


def since_when(topic: str, next_: int, anew: Mapping[str, int]) -> dict[str, int]:
    """Returns the entry of `Checkpoint.anew` for a topic that was made anew.

    `next_`: the offset to read next in the old topic. `anew`: the entries so far; the higher offset
    stays.
    """
    return {topic: max(next_, anew.get(topic, 0))}


def check_stateless(partition: int, application_id: str, group_offsets: Mapping[str, int]) -> None:
    """Checks that a partition without state was never read.

    Raises:
        StopWorker: the group has committed offsets there, so the state was lost.
    """
    if group_offsets:
        listed = ", ".join(f"{topic} {offset}" for topic, offset in sorted(group_offsets.items()))
        raise StopWorker(
            f"partition {partition} has no state, but group {application_id} has read here "
            f"({listed}): the changelogs were emptied or made anew. {REBUILD}. {SECOND_TIME}",
            ExitCode.PERSON,
        )


def check_bounds(
    partition: int,
    reads: Mapping[str, int],
    bounds: Mapping[str, tuple[int, int]],
    topics: Mapping[str, TopicView],
) -> None:
    """Checks that the offset to read next lies within each topic.

    `bounds`: by topic, the first offset and the end offset.

    Raises:
        StopWorker: an offset lies outside, so records were deleted or the topic was made anew.
    """
    for topic, (begin, end) in bounds.items():
        next_ = reads.get(topic, begin)
        if not begin <= next_ <= end:
            known = topics.get(topic)
            raise StopWorker(
                f"{topic}[{partition}] holds offsets {begin} to {end}, but {next_} is to be read "
                "next: records were deleted unread, or the topic was recreated. "
                f"{accept(topic, known.id if known else '')}; {MEANWHILE}. {SECOND_TIME}",
                ExitCode.PERSON,
            )


def within_bounds(
    partition: int, reads: Mapping[str, int], bounds: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """Returns the offsets to read next, moved to the topic's first or end offset if outside."""
    moved = {}
    for topic, (begin, end) in bounds.items():
        next_ = reads.get(topic, begin)
        moved[topic] = min(max(next_, begin), end)
        if moved[topic] != next_:
            logger.warning(
                "partition %d: %s is read on at offset %d instead of %d: what lay between is lost",
                partition,
                topic,
                moved[topic],
                next_,
                extra=event("inputs_lost"),
            )
    return moved
