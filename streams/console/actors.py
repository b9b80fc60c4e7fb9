"""Makes an actor of the claim that an OpenID provider states, by itself or by a mapping file:

    # SHA-256 of the claim     actor
    2bd806c97f0e00af1a1fc332…  desk.2

The file has only the digest of a claim, so that no e-mail address stands in it:
`printf %s CLAIM | sha256sum` makes it. With such a file only its entries count: who may choose a
claim of theirs cannot choose another person's actor.
"""

import hashlib
import re
from pathlib import Path

from schemas.enums import ACTOR_PATTERN
from streams.operate.errors import UsageError


def digest_of(claim: str) -> str:
    """Returns the first word of a claim's entry."""
    return hashlib.sha256(claim.encode()).hexdigest()


def actor_of(claim: str, path: Path | None) -> str | None:
    """Returns the actor of a claim; None: it has no entry, or fits no actor id.

    Raises UsageError if the mapping file cannot be used.
    """
    if path is not None:
        return read_actors(path).get(digest_of(claim))
    return claim if re.fullmatch(ACTOR_PATTERN, claim) else None


def read_actors(path: Path) -> dict[str, str]:
    """Reads the file. Raises UsageError, which names the first bad line but not its text."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({type(error).__name__})") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or re.fullmatch("[0-9a-f]{64}", words[0]) is None:
            raise UsageError(f"{path}:{number}: write SHA-256-OF-CLAIM ACTOR")
        if re.fullmatch(ACTOR_PATTERN, words[1]) is None:
            raise UsageError(f"{path}:{number}: the actor is an opaque id: letters, digits, . _ -")
        if found.setdefault(words[0], words[1]) != words[1]:
            raise UsageError(f"{path}:{number}: this claim has another actor already")
    return found
