"""Checks the ids that a person gives and that become part of a record, before any is made.

A name that stands where an opaque id belongs must not get into a topic (schemas/CONTRACT.md).
"""

import re

from schemas.enums import ACTOR_PATTERN, ID_PATTERN
from streams.operate.errors import UsageError


def actor_id(what: str, word: str) -> str:
    """Returns the actor. Raises UsageError, which never repeats the word, if it is no actor's id.

    `what`: what the person gave, for the message: `--actor`.
    """
    return _matched(what, word, ACTOR_PATTERN)


def other_id(what: str, word: str) -> str:
    """Returns the id of a bulk or an appeal. `what`, and what is raised: as `actor_id`."""
    return _matched(what, word, ID_PATTERN)


def _matched(what: str, word: str, pattern: str) -> str:
    if re.fullmatch(pattern, word) is None:
        raise UsageError(f"{what} is an opaque id and no name: {pattern}")
    return word
