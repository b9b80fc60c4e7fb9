"""Reads the canonical texts of policies from the records of their topic.

Whoever may write to the topic can put any text under any digest. A text counts only if it is the
one of its digest, so an altered one changes nothing that is worked out from it:

    texts = PolicyTexts()
    texts.feed(record.partition, record.offset, record.key, record.value)
    texts.known[digest]               # the text, bytes
    texts.altered                     # places of records whose text is another: "policies[0]@17"
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from schemas.topics import POLICIES
from streams.core.model.policy import Policy


def fits(digest: str, text: bytes) -> bool:
    """Whether a text is the one of a digest (SHA-256 in hex)."""
    return hashlib.sha256(text).hexdigest() == digest


def policy_of(text: bytes) -> Policy:
    """Returns the policy of a canonical text.

    Raises:
        ValueError: it is none, or none that this version of Byline accepts.
    """
    try:
        return msgspec.json.decode(text, type=Policy)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


@dataclass(slots=True)
class PolicyTexts:
    """The texts by digest, and the places of records that hold another text than their digest's."""

    known: dict[str, bytes] = field(default_factory=dict)
    altered: list[str] = field(default_factory=list)

    def feed(self, partition: int, offset: int, key: bytes | None, text: bytes | None) -> None:
        """Takes the next record of the topic of policies. A tombstone says nothing."""
        digest = (key or b"").decode(errors="replace")
        if text is None:
            return
        if fits(digest, text):
            self.known[digest] = text
        else:
            self.altered.append(f"{POLICIES.name}[{partition}]@{offset}")
