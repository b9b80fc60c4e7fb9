"""Whether the state and the topics still belong together: checked when a partition is opened.

Each fault is named with what to do, exit code 2: going on would read nothing, or everything again.
"""

from collections.abc import Iterable, Mapping

from streams.engine.metadata import Topic
from streams.engine.position import FORMAT, Position
from streams.engine.processor import Refusal

SECOND_TIME = "A new application id is no way out: it would send every event a second time"


def check_format(found: int, partition: int) -> None:
    """Refuse a state that a newer version wrote."""
    if found > FORMAT:
        raise Refusal(
            f"the state of partition {partition} has format {found}, this version knows formats "
            f"up to {FORMAT}: a newer version has written it. Start that version again",
            2,
        )


def check_position(
    position: Position,
    partition: int,
    partition_count: int,
    application_id: str,
    known: Iterable[str],
    topics: Mapping[str, Topic],
) -> None:
    """Refuse a state of other topics: `known` are the inputs, `topics` what there is by name.

    Of brokers that give no topic ids nothing is compared.
    """
    if position.partitions != partition_count:
        raise Refusal(
            f"the state of partition {partition} was built with {position.partitions} partitions, "
            f"the topics now have {partition_count}: keys would be looked for in the wrong place. "
            f"Kafka takes no partition back: make topics with {position.partitions} partitions "
            f"under another name and copy the records there, by partition. {SECOND_TIME}",
            2,
        )
    strange = sorted(set(position.next) - set(known))
    if strange:
        raise Refusal(
            f"the state of application id {application_id} belongs to other topics: it has read "
            f"{', '.join(strange)}. Put the topic prefix back, or take another application id for "
            "this prefix: one id works for one prefix alone",
            2,
        )
    for topic, topic_id in position.ids.items():
        now = topics.get(topic)
        if now is not None and now.id and now.id != topic_id:
            raise Refusal(
                f"{topic} was deleted and made anew: partition {partition} has worked with topic "
                f"id {topic_id}, now it is {now.id}. What was in it and unread is lost, and "
                f"offsets mean something else. Restore the topic. {SECOND_TIME}",
                2,
            )


def check_stateless(partition: int, application_id: str, group_offsets: Mapping[str, int]) -> None:
    """Refuse to begin where the group has been before (`group_offsets` by topic): state is lost."""
    if group_offsets:
        listed = ", ".join(f"{topic} {offset}" for topic, offset in sorted(group_offsets.items()))
        raise Refusal(
            f"partition {partition} has no state, but group {application_id} has read here "
            f"({listed}): the changelogs were emptied or made anew. Restore them; going on would "
            "send every event a second time",
            2,
        )


def check_bounds(
    partition: int, reads: Mapping[str, int], bounds: Mapping[str, tuple[int, int]]
) -> None:
    """Refuse a position outside of a topic (`bounds`: first offset and end, by topic)."""
    for topic, (begin, end) in bounds.items():
        next_ = reads.get(topic, begin)
        if not begin <= next_ <= end:
            raise Refusal(
                f"{topic}[{partition}] holds offsets {begin} to {end}, but {next_} is to be read "
                "next: records were deleted unread, or the topic was recreated. Restore it. "
                f"{SECOND_TIME}",
                2,
            )
