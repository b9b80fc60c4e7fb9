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
    accepted: Mapping[str, str],
) -> list[str]:
    """Refuse a state of other topics: `known` are the inputs, `topics` what there is by name.

    What was made anew and is `accepted` by its new id is returned: it is read from its beginning.
    Of brokers that give no topic ids nothing is compared.
    """
    if position.partitions != partition_count:
        raise Refusal(
            f"the state of partition {partition} was built with {position.partitions} partitions, "
            f"the topics now have {partition_count}: keys would be looked for in the wrong place. "
            f"Kafka takes no partition back: make the topics anew with {position.partitions} "
            "partitions, copy there by partition what they held, and accept them "
            f"(BYLINE_ACCEPT_TOPICS). {SECOND_TIME}",
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
    anew = []
    for topic, topic_id in position.ids.items():
        now = topics.get(topic)
        if now is None or not now.id or now.id == topic_id:
            continue
        anew.append(topic)
        if accepted.get(topic) != now.id:
            raise Refusal(
                f"{topic} was deleted and made anew: partition {partition} has worked with topic "
                f"id {topic_id}, now it is {now.id}. What was in it and unread is lost, and "
                "offsets mean something else. Restore what it held, then start once with "
                f"BYLINE_ACCEPT_TOPICS={topic}={now.id}, and it is read from its "
                f"beginning. {SECOND_TIME}",
                2,
            )
    return anew


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
