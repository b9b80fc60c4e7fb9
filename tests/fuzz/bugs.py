"""Plausible mistakes in what reads others' bytes; each target has to find its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec

from streams.core.inputs import letters


class FuzzBug(NamedTuple):
    """A mistake: what it does, the target that finds it, and the places in which it sits."""

    what: str
    target: str
    places: dict[str, Any]


def _quoting(right: Callable[..., bytes]) -> Callable[..., bytes]:
    def dead_letter(topic: str, partition: int, record: Any, *rest: Any) -> bytes:
        plain = msgspec.json.decode(right(topic, partition, record, *rest))
        return msgspec.json.encode({**plain, "value": (record.value or b"").decode("latin-1")})

    return dead_letter


def _raise(self: Any, batch: Any, why: str) -> None:
    raise ValueError(why)


_QUOTING = _quoting(letters.dead_letter)
BUGS = [
    FuzzBug("a name is looked up as it is written", "controls", {"core.inputs.plain.folded": str}),
    FuzzBug(
        "ids are not looked at",
        "account-changes",
        {"core.inputs.checks.valid_account_id": lambda text: True},
    ),
    FuzzBug(
        "the short cut looks at no time",
        "follower-counts",
        {"core.inputs.checker.says_time": lambda raw: True},
    ),
    FuzzBug(
        "a batch of labels is taken whatever its keys are",
        "batches of records",
        {"core.inputs.checker._are_keys_of": lambda *about: True},
    ),
    FuzzBug(
        "a dead letter quotes the record",
        "whole partition",
        {"core.inputs.intake.dead_letter": _QUOTING},
    ),
    FuzzBug("a label is shown", "dead-letters show", {"letters.masked.FREE_TEXT": frozenset()}),
    FuzzBug(
        "text that is not UTF-8 ends the list",
        "dead letters",
        {"letters.reading.UNREADABLE": (msgspec.MsgspecError,)},
    ),
    FuzzBug(
        "a batch that cannot be read ends the reader",
        "Kafka's batches",
        {"kafka.stretches.Taking._refuse": _raise},
    ),
    FuzzBug(
        "the chain believes the hash that a record states",
        "audit",
        {"operate.audit.chain.digest": lambda plain: plain["hash"]},
    ),
    FuzzBug(
        "what is no policy is refused without a word",
        "policy files",
        {"policies.document._is_meant": lambda *about: False},
    ),
]


@contextmanager
def planted(bug: FuzzBug) -> Iterator[None]:
    """Puts the mistake in for as long as the context lasts."""
    with ExitStack() as stack:
        for place, wrong in bug.places.items():
            stack.enter_context(patch(f"streams.{place}", wrong))
        yield
