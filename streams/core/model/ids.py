"""Ids are functions of what they name: any machine, partition count or run gives the same."""

import hashlib
from functools import lru_cache


def derive(
    platform: str,
    account_id: str,
    mode: str,
    cycle: int,
    action: str,
    surface: str = "",
    ordinal: int = 1,
) -> str:
    """The id of an action: 32 hex digits of the SHA-256 over all that identifies it.

    `mode` is the mode of the cycle's life; a shadow surface of a live cycle keeps the live cycle's.
    """
    text = "\n".join((platform, account_id, mode, str(cycle), action, surface, str(ordinal)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def invitation_id(platform: str, account_id: str, mode: str, cycle: int) -> str:
    """The id of a cycle's invitation; a reissued one keeps it."""
    return derive(platform, account_id, mode, cycle, "invitation")


def bucket(platform: str, account_id: str) -> int:
    """The account's place, 0 to 99, in a roll-out.

    Fixed, so that a larger share keeps who is in.
    """
    digest = hashlib.sha256(f"roll-out\n{platform}\n{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def pseudonym(key: bytes) -> bytes:
    """The key under which a closed account's remains are kept."""
    return b"~" + hashlib.sha256(key).hexdigest().encode()


def control_mark(control_id: str) -> int:
    """A control id as 8 bytes, to remember that it counted."""
    return _eight_bytes(control_id)


def content_mark(*fields: object) -> int:
    """All fields of an input as 8 bytes, to remember that one alike counted."""
    return _eight_bytes("\n".join(str(one) for one in fields))


def _eight_bytes(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
