"""Reads the file that says which token may ask what, with a line for each token:

    # SHA-256 of the token    actor      roles
    5e884898da28047151d0e5…   desk.1     accounts,numbers

The file has only the digest of a token: `printf %s TOKEN | sha256sum` makes it.
"""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum, unique
from pathlib import Path
from typing import NamedTuple

from schemas.enums import ACTOR_PATTERN
from streams.operate.errors import UsageError


@unique
class Role(StrEnum):
    """What a token may ask: about single accounts, or only numbers."""

    ACCOUNTS = "accounts"
    NUMBERS = "numbers"


class Who(NamedTuple):
    """The holder of a token: an opaque id, and its roles."""

    actor: str
    roles: frozenset[Role]


Roles = Mapping[str, Who]
"""SHA-256 (hex) of a token → its holder."""


def read_roles(path: Path) -> Roles:
    """Reads the file. Raises UsageError, which names the first bad line but not its text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({type(error).__name__})") from None
    found: dict[str, Who] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 3 or re.fullmatch("[0-9a-f]{64}", words[0]) is None:
            raise UsageError(f"{path}:{number}: write SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]")
        if re.fullmatch(ACTOR_PATTERN, words[1]) is None:
            raise UsageError(f"{path}:{number}: the actor is an opaque id: letters, digits, . _ -")
        known = {it.value for it in Role}
        if not set(words[2].split(",")) <= known:
            raise UsageError(f"{path}:{number}: roles are {', '.join(sorted(known))}")
        found[words[0]] = Who(words[1], frozenset(map(Role, words[2].split(","))))
    if not found:
        raise UsageError(f"{path} names nobody: write SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]")
    return found


def who_is(roles: Roles, header: str | None) -> Who | None:
    """Returns the holder of the token in an Authorization header; None: none, or unknown."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    # The look-up is by digest, so its duration reveals nothing about a token.
    return roles.get(hashlib.sha256(token.strip().encode()).hexdigest())
