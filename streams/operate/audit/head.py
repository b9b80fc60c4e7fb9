"""The head of the chain, to be kept where who can write the log cannot: an anchor.

A chain that begins at any record is sound by itself: whoever may write the topic can write all of
it anew. What was anchored elsewhere (a notary, a timestamp, another company's archive) has to be in
the log still: the record of that number has that hash.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streams.operate.audit.chain import Verified, canonical


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a partition of the log: its number, its hash, its own time."""

    partition: int
    number: int
    hash: str
    at: str


@dataclass(frozen=True, slots=True)
class Missed:
    """What was anchored and is not so: the partition, the number, and what is there instead."""

    partition: int
    number: int
    says: str


class AnchorError(ValueError):
    """This is no anchor; the message says why."""


def heads_of(done: Verified) -> list[Head]:
    """The heads of all partitions that have a record."""
    return [
        Head(number, chain.number - 1, chain.previous, chain.ended or "")
        for number, chain in sorted(done.chains.items())
        if chain.number is not None and chain.previous is not None
    ]


def digest_of(heads: list[Head]) -> str:
    """One digest for all: SHA-256 of the canonical form of their list."""
    return hashlib.sha256(canonical([asdict(it) for it in heads])).hexdigest()


def anchor_of(heads: list[Head]) -> dict[str, Any]:
    """What is kept elsewhere; the digest alone is enough where there is little room."""
    return {"heads": [asdict(it) for it in heads], "digest": digest_of(heads)}


def read_anchor(text: str | bytes) -> list[Head]:
    """What `anchor_of` made. Raises AnchorError for another text, or one with another digest."""
    try:
        plain = json.loads(text)
        heads = [
            Head(int(it["partition"]), int(it["number"]), str(it["hash"]), str(it["at"]))
            for it in plain["heads"]
        ]
        said = plain["digest"]
    except (ValueError, KeyError, TypeError):
        raise AnchorError(
            "it is no anchor: keep what `byline audit --head --json` prints"
        ) from None
    if digest_of(heads) != said:
        raise AnchorError("its digest is not that of its heads: it was changed, or cut")
    return heads


def wanted_of(anchored: list[Head]) -> Mapping[int, int]:
    """The number of each partition whose hash has to be looked at."""
    return {it.partition: it.number for it in anchored}


def missed(done: Verified, anchored: list[Head]) -> list[Missed]:
    """What of an anchor is not in the log that was verified."""
    found = []
    for it in anchored:
        there = done.hashes.get(it.partition)
        if there == it.hash:
            continue
        chain = done.chains.get(it.partition)
        if there is not None:
            says = "another record is there: the log was written anew since"
        elif chain is None or chain.number is None:
            says = "nothing is there: the log was emptied, or this is another one"
        elif chain.first is not None and chain.first > it.number:
            says = f"the log begins at {chain.first}: retention took it, or the log was cut"
        else:
            says = f"the log ends at {chain.number - 1}: it was cut"
        found.append(Missed(it.partition, it.number, says))
    return found
