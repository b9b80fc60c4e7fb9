"""Derives ids from what they name, so every machine, partition count and replay makes the same.

The setting `ID_KEY` is a secret. With it an invitation's id and the digests in dead letters cannot
be computed by somebody who only knows account ids. Everything else is derived without it.
"""

import hashlib
import hmac
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
    """Returns the id of an action: 32 hex digits of the SHA-256 over everything that identifies it.

    `mode` is the mode of the cycle's life, also for a shadow surface of a live cycle.
    """
    text = "\n".join((platform, account_id, mode, str(cycle), action, surface, str(ordinal)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def invitation_id(
    platform: str, account_id: str, mode: str, cycle: int, key: bytes | None = None
) -> str:
    """Returns the id of a cycle's invitation. A reissued invitation keeps it.

    `key`: the setting `ID_KEY`; with it the id is the HMAC of the same text.
    """
    if key is None:
        return derive(platform, account_id, mode, cycle, "invitation")
    text = "\n".join((platform, account_id, mode, str(cycle), "invitation"))
    return keyed_digest(text.encode(), key)[:32]


def keyed_digest(data: bytes, key: bytes | None) -> str:
    """Returns 64 hex digits: the HMAC-SHA-256 of data under `key`, or its SHA-256 without a key."""
    if key is None:
        return hashlib.sha256(data).hexdigest()
    return hmac.new(key, data, hashlib.sha256).hexdigest()


@lru_cache(maxsize=16)
def key_name(key: bytes) -> str:
    """Returns 8 hex digits that tell one `ID_KEY` from another, and nothing else about it."""
    return keyed_digest(b"byline: the name of this key", key)[:8]


def bucket(platform: str, account_id: str) -> int:
    """Returns the account's bucket in a roll-out, 0 to 99.

    It never changes. So a roll-out of a larger percentage keeps the accounts of a smaller one.
    """
    digest = hashlib.sha256(f"roll-out\n{platform}\n{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def pseudonym(key: bytes) -> bytes:
    """Returns the key under which the state of a closed account is kept: `~` and a digest."""
    return b"~" + hashlib.sha256(key).hexdigest().encode()


def control_mark(control_id: str) -> int:
    """Returns a digest of a control id that fits into 8 bytes."""
    return _eight_bytes(control_id)


def content_mark(*fields: object) -> int:
    """Returns a digest of an input's fields that fits into 8 bytes, to recognise a repeat."""
    return _eight_bytes("\n".join(str(one) for one in fields))


def _eight_bytes(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
