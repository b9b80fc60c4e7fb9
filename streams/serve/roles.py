"""Who may ask: a file with a line for each token.

    # SHA-256 of the token    actor      roles
    5e884898da28047151d0e5…   desk.1     accounts,numbers

The token itself stands nowhere: `printf %s TOKEN | sha256sum` makes its digest.
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
    """What may be asked: about single accounts, or numbers alone."""

    ACCOUNTS = "accounts"
    NUMBERS = "numbers"


class Who(NamedTuple):
    """Who asks: an opaque id, and what he may."""

    actor: str
    roles: frozenset[Role]


Roles = Mapping[str, Who]
"""Digest of a token to whose it is."""


def read_roles(path: Path) -> Roles:
    """The file. UsageError names each line that cannot be meant, never what stands in it."""
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
    """Whose token an Authorization header brings; None for nobody's."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    # A look-up by digest: its time tells nothing about a token.
    return roles.get(hashlib.sha256(token.strip().encode()).hexdigest())
