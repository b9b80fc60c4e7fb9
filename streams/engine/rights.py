"""Reports all Kafka rights that a worker lacks in one message, with what to do."""

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.errors import GroupAuthorizationFailedError

from streams.kafka.requests.metadata import View, allowed
from streams.kafka.rights import group_operations, in_words, missing_rights, refused_in_words
from streams.stop_worker import ExitCode, StopWorker

RIGHTS_CURE = "`byline topics acl --role worker` says what a worker needs"


def refusal_of(error: BaseException) -> StopWorker:
    """Makes the `StopWorker` for one of `RIGHTS_ERRORS`."""
    return StopWorker(
        f"a right is missing: {refused_in_words(error)}. {RIGHTS_CURE}", ExitCode.PERSON
    )


async def refuse_missing_rights(
    client: Any, group: str, view: View, wanted: Mapping[str, Collection[str]]
) -> None:
    """Checks the rights to topics (`wanted`: operations by topic) and the right to read the group.

    `view` must have been asked for with operations. Without this check a missing right to write
    would show only at the first record, perhaps weeks later.

    Raises:
        StopWorker: with all missing rights.
    """
    missing = missing_rights(view, wanted)
    try:
        may_join = allowed(await group_operations(client, group), "Read")
    except GroupAuthorizationFailedError:
        may_join = False
    if not may_join:
        missing.setdefault("Read", []).append(f"the group {group}")
    if missing:
        raise StopWorker(f"a right is missing: {in_words(missing)}. {RIGHTS_CURE}", ExitCode.PERSON)
