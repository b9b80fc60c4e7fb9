"""Where an account stands after its events, for the blocks of the picture."""

from collections.abc import Sequence
from enum import IntEnum


class Standing(IntEnum):
    """In the order in which the blocks are drawn."""

    AGREED = 0
    NOTIFIED = 1
    INVITED = 2
    NOT_REACHED = 3
    RESTRICTED = 4
    OVER = 5


AFTER = {
    "granted": Standing.AGREED,
    "delivered": Standing.NOTIFIED,
    "issued": Standing.INVITED,
    "undeliverable": Standing.NOT_REACHED,
    "applied": Standing.RESTRICTED,
    "lifted": Standing.OVER,
    "cancelled": Standing.OVER,
    "withdrawn": Standing.OVER,
    "voided": Standing.OVER,
}
"""Every other event leaves it where it was."""


def standing(tokens: Sequence[str]) -> Standing:
    """The place after events, given as tokens in their order; a lift leaves a consent standing."""
    now = Standing.INVITED
    for token in tokens:
        word = token.split(":")[0]
        if word == "lifted" and now == Standing.AGREED:
            continue
        now = AFTER.get(word, now)
    return now
