"""Reads the file that says who may ask and do what, with a line for each token or person:

    # SHA-256 of the token    actor      roles
    5e884898da28047151d0e5…   desk.1     accounts,numbers
    user:2bd806c97f0e00af…    desk.2     operator

The file has only the digest of a token: `printf %s TOKEN | sha256sum` makes it. A line with `user:`
is for the console behind a proxy that signs people in: the digest is that of the name that the
proxy states, so that the file holds no e-mail address. Such a line is nobody's token.

    oidc                       desk.3     operator

A line with `oidc` is for the console's sign-in by an OpenID provider: whose actor that is, by the
claim of the settings or its entry in BYLINE_OIDC_ACTORS_FILE.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from pathlib import Path
from typing import NamedTuple

from schemas.enums import ACTOR_PATTERN
from streams.operate.errors import UsageError


@unique
class Role(StrEnum):
    """The role of a person or token. The read API knows only the first two."""

    ACCOUNTS = "accounts"
    NUMBERS = "numbers"
    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"


USER = "user:"
OIDC = "oidc"
_SEES = frozenset({Role.ACCOUNTS, Role.NUMBERS, Role.VIEWER})
INCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.ACCOUNTS: frozenset({Role.ACCOUNTS}),
    Role.NUMBERS: frozenset({Role.NUMBERS}),
    Role.VIEWER: _SEES,
    Role.OPERATOR: _SEES | {Role.OPERATOR},
    Role.APPROVER: _SEES | {Role.APPROVER},
    Role.AUDITOR: _SEES | {Role.AUDITOR},
}
"""Each role → the roles that its holder has.

accounts: single accounts, work-lists, dead letters. numbers: counts, policies, reports. viewer:
both. operator: may act, or propose where a second person is required. approver: may approve or
refuse what another proposed. auditor: sees who looked at which account, and gathers evidence.
"""


class Who(NamedTuple):
    """The holder of a token: an opaque id, and its roles."""

    actor: str
    roles: frozenset[Role]


Roles = Mapping[str, Who]
"""Key → its holder. A key is the SHA-256 (hex) of a token, `user:` and that of a stated name, or
`oidc:` and an actor.
"""


def held(named: Iterable[str]) -> frozenset[Role]:
    """Returns all roles that these named ones include. Raises ValueError for an unknown one."""
    return frozenset().union(*(INCLUDES[Role(it)] for it in named))


def read_roles(path: Path) -> Roles:
    """Reads the file. Raises UsageError, which names the first bad line but not its text."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({type(error).__name__})") from None
    found: dict[str, Who] = {}
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 3 or re.fullmatch("(user:)?[0-9a-f]{64}|oidc", words[0]) is None:
            raise UsageError(
                f"{path}:{number}: write [user:]SHA-256-OF-TOKEN ACTOR ROLE[,ROLE], or oidc ACTOR"
                " ROLE[,ROLE]"
            )
        if re.fullmatch(ACTOR_PATTERN, words[1]) is None:
            raise UsageError(f"{path}:{number}: the actor is an opaque id: letters, digits, . _ -")
        try:
            key = oidc_key(words[1]) if words[0] == OIDC else words[0]
            found[key] = Who(words[1], held(words[2].split(",")))
        except ValueError:
            raise UsageError(f"{path}:{number}: roles are {', '.join(sorted(Role))}") from None
    if not found:
        raise UsageError(f"{path} names nobody: write SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]")
    return found


def token_key(token: str) -> str:
    """Returns the key of a token's holder in Roles."""
    return hashlib.sha256(token.strip().encode()).hexdigest()


def user_key(name: str) -> str:
    """Returns the key in Roles of a person whom a proxy has signed in under this name."""
    return USER + hashlib.sha256(name.encode()).hexdigest()


def oidc_key(actor: str) -> str:
    """Returns the key in Roles of a person whom an OpenID provider has signed in."""
    return f"{OIDC}:{actor}"


def who_is(roles: Roles, header: str | None) -> Who | None:
    """Returns the holder of the token in an Authorization header; None: none, or unknown."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not token:
        return None
    # The look-up is by digest, so its duration reveals nothing about a token.
    return roles.get(token_key(token))
