"""Anchors of the decision log: heads of its hash chain that are kept elsewhere.

Whoever may write the topic can write the whole log anew, with a chain that is sound in itself. An
anchor shows that. It is kept where they cannot write: with a notary, a timestamp service, another
company's archive. Later the record of that number must still have that hash.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streams.operate.audit.chain import Verified, canonical


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a partition of the log: its number, its hash, and its `now` as text."""

    partition: int
    number: int
    hash: str
    at: str


@dataclass(frozen=True, slots=True)
class Missed:
    """An anchored record that is not in the log: partition, number, and what is there instead."""

    partition: int
    number: int
    says: str


class AnchorError(ValueError):
    """A text is no anchor; the message says why."""


def heads_of(done: Verified) -> list[Head]:
    """Returns the head of each partition that has a record."""
    return [
        Head(number, chain.number - 1, chain.previous, chain.ended or "")
        for number, chain in sorted(done.chains.items())
        if chain.number is not None and chain.previous is not None
    ]


def digest_of(heads: list[Head]) -> str:
    """Returns the SHA-256 (hex) of the canonical form of the list of heads."""
    return hashlib.sha256(canonical([asdict(it) for it in heads])).hexdigest()


def anchor_of(heads: list[Head]) -> dict[str, Any]:
    """Returns the anchor to keep elsewhere. Where there is little room its `digest` is enough."""
    return {"heads": [asdict(it) for it in heads], "digest": digest_of(heads)}


def read_anchor(text: str | bytes) -> list[Head]:
    """Parses what `anchor_of` made. Raises AnchorError for other text or a wrong digest."""
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
    """Returns the number of the anchored record of each partition, as `Verified.wanted`."""
    return {it.partition: it.number for it in anchored}


def missed(done: Verified, anchored: list[Head]) -> list[Missed]:
    """Returns the anchored records that the verified log does not have."""
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
