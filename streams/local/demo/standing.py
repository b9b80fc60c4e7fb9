"""The state of an account after its events, for the coloured blocks of the display."""

from collections.abc import Sequence
from enum import IntEnum


class Standing(IntEnum):
    """The states, in the order in which the blocks are drawn."""

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
"""By event, the state after it; other events do not change the state."""


def standing(tokens: Sequence[str]) -> Standing:
    """Returns the state after events, given as tokens in order; a lift does not end a consent."""
    now = Standing.INVITED
    for token in tokens:
        word = token.split(":")[0]
        if word == "lifted" and now == Standing.AGREED:
            continue
        now = AFTER.get(word, now)
    return now
