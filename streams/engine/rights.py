"""Names every right that a worker lacks in one message, with what to do."""

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.errors import GroupAuthorizationFailedError

from streams.kafka.requests.metadata import View, allowed
from streams.kafka.rights import group_operations, in_words, missing_rights, refused_in_words
from streams.stop_worker import ExitCode, StopWorker

_CURE = "`byline topics acl --role worker` says what a worker needs"


def refusal_of(error: BaseException) -> StopWorker:
    """The `StopWorker` for one of `RIGHTS_ERRORS`."""
    return StopWorker(f"a right is missing: {refused_in_words(error)}. {_CURE}", ExitCode.PERSON)


async def refuse_missing_rights(
    client: Any, group: str, view: View, wanted: Mapping[str, Collection[str]]
) -> None:
    """Raises `StopWorker` with all missing rights, including those that are rarely needed.

    `wanted`: operations by topic; `view` with operations; of the group it is Read. A right to write
    would be missed at the first record alone, which may be weeks away.
    """
    missing = missing_rights(view, wanted)
    try:
        may_join = allowed(await group_operations(client, group), "Read")
    except GroupAuthorizationFailedError:
        may_join = False
    if not may_join:
        missing.setdefault("Read", []).append(f"the group {group}")
    if missing:
        raise StopWorker(f"a right is missing: {in_words(missing)}. {_CURE}", ExitCode.PERSON)
