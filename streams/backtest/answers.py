"""A random model of what the data lack: receipts of the notifier and answers of owners.

Its random numbers are digests of the seed and the invitation's id. So an invitation gets the same
answer whatever else is in the data, whoever else is invited, and in any order.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.inputs import InputName
from streams.core.model.instants import DAY, SECOND, rfc3339
from streams.operate.errors import UsageError
from streams.policies.scalars import format_duration, parse_duration

_SPAN = 1 << 64


@dataclass(frozen=True)
class AnswerModel:
    """The parameters of the model. Shares are 0 to 1, times in ms.

    `granted`, `declined`: shares of the owners whom the notice reaches; the others are silent.
    `bounced`: share of the notices that fail. `delivery`: time from issue to delivery. `delay`:
    mean of the exponential time from delivery to answer. By default every notice arrives after a
    minute and nobody answers, so that everybody who can be restricted is.
    """

    granted: float = 0.0
    declined: float = 0.0
    bounced: float = 0.0
    delivery: int = 60 * SECOND
    delay: int = 2 * DAY
    seed: int = 1

    def words(self) -> str:
        """Describes the model in one sentence, for the report."""
        silent = 1 - self.granted - self.declined
        return (
            f"receipts and answers come from a model, not from data: {self.bounced:.2%} of notices"
            f" bounce, the others arrive after {format_duration(self.delivery)}; of the owners"
            f" reached {self.granted:.2%} grant, {self.declined:.2%} decline, {silent:.2%} are"
            f" silent; an answer takes {format_duration(self.delay)} in the mean (exponential);"
            f" seed {self.seed}"
        )

    def answers(self, event: Mapping[str, Any], issued_at: int) -> Iterator["ModelWord"]:
        """Yields what follows an `invitation.issued` in enforce: a receipt, perhaps an answer.

        `issued_at`: ms.
        """
        about = f"{event['invitation_id']}/{event['event_id']}"
        common = {name: event[name] for name in ("platform", "account_id", "invitation_id")}
        at = issued_at + self.delivery
        if self._draw(about, "bounce") < self.bounced:
            failed = {"outcome": "failed", "failure": "unreachable", "occurred_at": rfc3339(at)}
            yield ModelWord(at, "notice-receipts", common | failed)
            return
        delivered = {"outcome": "delivered", "occurred_at": rfc3339(at)}
        yield ModelWord(at, "notice-receipts", common | delivered)
        share = self._draw(about, "answer")
        if share >= self.granted + self.declined:
            return
        later = at + round(-math.log(1 - self._draw(about, "delay")) * self.delay)
        answer = "granted" if share < self.granted else "declined"
        said = {"answer": answer, "occurred_at": rfc3339(later)}
        yield ModelWord(later, "consent-answers", common | said)

    def _draw(self, about: str, what: str) -> float:
        """Returns a number in [0, 1) that depends only on seed, invitation and question."""
        text = f"{self.seed}/{what}/{about}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / _SPAN


@dataclass(frozen=True, slots=True)
class ModelWord:
    """A receipt or an answer of the model, stated and entered at `at` (ms)."""

    at: int
    topic: InputName
    value: Mapping[str, Any]

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return f"{self.value['platform']}:{self.value['account_id']}".encode()

    @property
    def raw(self) -> bytes:
        """The value of its record."""
        return json.dumps(self.value).encode()


def read_model(text: str) -> AnswerModel:
    """Parses the option `--answers`, such as `model` or `model:granted=0.6,delay=P2D,seed=1`.

    The names are those of AnswerModel. Raises UsageError, which says what is wrong and allowed.
    """
    given: dict[str, Any] = {}
    known = {it.name for it in fields(AnswerModel)}
    for part in filter(None, text.partition(":")[2].split(",")):
        name, _, value = part.partition("=")
        if name not in known or name in given:
            raise UsageError(f"--answers: {part!r}: say each of {', '.join(sorted(known))} once")
        given[name] = _value(name, value)
    model = AnswerModel(**given)
    shares = (model.granted, model.declined, model.bounced)
    # float() also accepts nan and inf; `all` refuses them, too.
    if not all(0 <= share <= 1 for share in shares) or model.granted + model.declined > 1:
        raise UsageError("--answers: shares are 0 to 1, granted and declined together at most 1")
    return model


def _value(name: str, text: str) -> Any:
    try:
        if name == "seed":
            return int(text)
        if name in ("delivery", "delay"):
            return parse_duration(text)
        return float(text)
    except ValueError:
        form = "a duration like P2D" if name in ("delivery", "delay") else "a number"
        raise UsageError(f"--answers: {name}={text}: not {form}") from None
