"""Ids are functions of what they name: every machine, partition count and run gives the same id."""

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
    """The id of an action: 32 hex digits of the SHA-256 over everything that identifies it.

    `mode` is the mode of the cycle's life. A shadow surface of a live cycle has the mode of the
    live cycle.
    """
    text = "\n".join((platform, account_id, mode, str(cycle), action, surface, str(ordinal)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def invitation_id(platform: str, account_id: str, mode: str, cycle: int) -> str:
    """The id of a cycle's invitation. A reissued invitation keeps it."""
    return derive(platform, account_id, mode, cycle, "invitation")


def bucket(platform: str, account_id: str) -> int:
    """The account's place in a roll-out, 0 to 99.

    It never changes, so a larger share keeps the accounts that are already in.
    """
    digest = hashlib.sha256(f"roll-out\n{platform}\n{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def pseudonym(key: bytes) -> bytes:
    """The key under which the remains of a closed account are kept."""
    return b"~" + hashlib.sha256(key).hexdigest().encode()


def control_mark(control_id: str) -> int:
    """A control id as 8 bytes, to remember that it counted."""
    return _eight_bytes(control_id)


def content_mark(*fields: object) -> int:
    """All fields of an input as 8 bytes, to recognise an input that is alike in every field."""
    return _eight_bytes("\n".join(str(one) for one in fields))


def _eight_bytes(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
