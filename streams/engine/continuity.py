"""Whether the state and the topics still belong together: checked when a partition is opened.

Each fault is named with its way out, exit code 2: going on would read nothing, or everything again.
With `favourable_only` a partition goes on all the same where that is safe: where what is missing
are inputs, which can only be a reason against what is adverse.
"""

import logging
from collections.abc import Collection, Iterable, Mapping

import msgspec

from streams.engine.checkpoint import FORMAT, Checkpoint
from streams.kafka.requests.metadata import TopicView
from streams.stop_worker import ExitCode, StopWorker

SECOND_TIME = "A new application id is no way out: it would send every event a second time"
MEANWHILE = "until then `byline worker --favourable-only` serves lifts, grants and withdrawals"
REBUILD = (
    "`byline cluster rebuild` makes the state anew, from a worker's disk or from the decision log "
    "and the inputs, and says what is lost where these do not reach back"
)

logger = logging.getLogger(__name__)


def accept(topic: str, topic_id: str) -> str:
    """The sentence that tells an operator how to accept a replaced topic."""
    return (
        "Restore what it held if you can, then accept it: `byline cluster accept "
        f"{topic}={topic_id}` says what that means"
    )


def check_format(found: int, partition: int) -> None:
    """Refuse a state that a newer version wrote."""
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
    """Check the checkpoint. Returns the one to go on from.

    `known`: the inputs. `topics`: all topics, by name.

    Raises `StopWorker` for the state of other topics. With `favourable_only` a topic that was made
    anew is read from its beginning, once, and its old id is kept: it is not accepted by that. Of
    brokers that give no topic ids nothing is compared.
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
            )
            anew |= since_when(topic, reads.pop(topic, 0), anew)
        served[topic] = now.id
    # Beyond the old log's last offset there is no telling apart any more, and no need to.
    anew = {topic: before for topic, before in anew.items() if reads.get(topic, 0) < before}
    return msgspec.structs.replace(checkpoint, next=reads, served=served, anew=anew)


def since_when(topic: str, next_: int, anew: Mapping[str, int]) -> dict[str, int]:
    """How far the former log of a replaced topic had been read, as in `Checkpoint.anew`."""
    return {topic: max(next_, anew.get(topic, 0))}


def check_stateless(partition: int, application_id: str, group_offsets: Mapping[str, int]) -> None:
    """Refuse a partition without state where the group has committed offsets: state is lost."""
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
    """Refuse a position outside of a topic (`bounds`: first offset and end, by topic)."""
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
    """The same positions. One outside of its topic is moved to the topic's begin or end."""
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
            )
    return moved
