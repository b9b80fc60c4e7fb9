"""Checks a line of JSON: returns the record to send, or why a worker would refuse it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.enums import (
    ACCOUNT_ID_PATTERN,
    ALLOWED_SKEW_SECONDS,
    EARLIEST_TIME_MS,
    MAX_VALUE_BYTES,
    PLATFORM_PATTERN,
    Refused,
)
from schemas.inputs import INPUT_MODELS, TOMBSTONES, Control, ThrottleAck, input_key
from schemas.topics import THROTTLE_ACKS
from streams.core.inputs.checker import PROTECTS_NOBODY
from streams.core.inputs.plain import has_name_field
from streams.operate.errors import UsageError
from streams.policies.scalars import nearest

SENT_MODELS: Mapping[str, type[BaseModel]] = dict(
    [*INPUT_MODELS.items(), (THROTTLE_ACKS.name, ThrottleAck)]
)
"""The model of each topic that can be sent to: the inputs and the throttle acknowledgements."""

DATED = frozenset({"follower-counts", "category-changes"})
"""Inputs that are refused for an impossible `observed_at`; in others a worker replaces the time."""

ENDS = ("expires_at", "until", "valid_until")
_EXPECTED = {
    "platform": f"a slug, {PLATFORM_PATTERN}",
    "account_id": f"an opaque id, {ACCOUNT_ID_PATTERN}",
}


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A record to send; a value of None is a tombstone."""

    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that a worker would refuse: the contract's reason, and the fault in words."""

    reason: Refused
    words: str

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.words}"


class LineChecker:
    """Checks lines against the contract's rules for one topic.

    A refusal never repeats a value: it may be a person's name. `platforms`: those with a policy;
    None: they are not known, and every platform passes. `tombstones`: a line names only the account
    and becomes a tombstone. Raises UsageError if the topic has no tombstones.
    """

    def __init__(
        self,
        name: str,
        platforms: Collection[str] | None,
        now_seconds: float,
        *,
        require_approvals: bool = False,
        tombstones: bool = False,
    ) -> None:
        if tombstones and name not in TOMBSTONES:
            raise UsageError(f"--tombstones: a record of {name} always has a value")
        self._name = name
        self._model = SENT_MODELS[name]
        self._platforms = platforms
        self._latest = now_seconds + ALLOWED_SKEW_SECONDS
        self._require_approvals = require_approvals
        self._tombstones = tombstones

    def check(self, raw: bytes) -> CheckedLine | Rejection:
        """Returns the record to send, or the refusal. Fields outside the contract are dropped."""
        if len(raw.strip()) > MAX_VALUE_BYTES:
            return Rejection(Refused.TOO_LARGE, f"over {MAX_VALUE_BYTES} bytes")
        try:
            plain = json.loads(raw.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            where = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            return Rejection(Refused.NOT_JSON, f"this is not JSON{where}")
        if not isinstance(plain, dict):
            return Rejection(Refused.WRONG_TYPE, "a line is a JSON object")
        if has_name_field(plain):
            return Rejection(Refused.NAME_FIELD, "a field known to carry a person's name or number")
        try:
            return self._checked(plain)
        except ValidationError as error:
            return _refusal(error)

    def _checked(self, plain: dict[str, Any]) -> CheckedLine | Rejection:
        if self._tombstones:
            stand_in = {"category": "-", "followers": 0, "observed_at": "1970-01-01T00:00:00Z"}
            value = self._model.model_validate({**plain, **stand_in})
        else:
            value = self._model.model_validate(plain)
        platform = str(getattr(value, "platform", None) or getattr(value, "scope", ""))
        if platform != "*" and self._platforms is not None and platform not in self._platforms:
            near = nearest(platform, self._platforms)
            known = ", ".join(sorted(self._platforms))
            words = f"did you mean {near}? " if near else ""
            return Rejection(
                Refused.UNKNOWN_PLATFORM, f"{words}there are policies for {known} only"
            )
        key = input_key(self._name, value).encode()  # type: ignore[arg-type]
        if self._tombstones:
            return CheckedLine(key, None)
        wrong_time = self._wrong_time(value)
        if wrong_time is not None:
            return wrong_time
        if self._require_approvals and isinstance(value, Control) and _unapproved(value):
            words = (
                f"{value.command.value} with a bulk_id needs an approved_by other than its actor"
            )
            return Rejection(Refused.NOT_APPROVED, words)
        kept = {field: plain[field] for field in self._model.model_fields if field in plain}
        return CheckedLine(
            key, json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
        )

    def _wrong_time(self, value: BaseModel) -> Rejection | None:
        dated = ("observed_at",) if self._name in DATED else ()
        for field in (*dated, *ENDS):
            moment = getattr(value, field, None)
            if moment is None:
                continue
            if moment.timestamp() * 1000 < EARLIEST_TIME_MS:
                return Rejection(Refused.TIME_BEFORE_2005, f"{field} is before 2005: no date")
            if field in dated and moment.timestamp() > self._latest:
                words = f"{field} is over {ALLOWED_SKEW_SECONDS} s ahead of this machine's clock"
                return Rejection(Refused.TIME_AHEAD, words)
        return None


def _unapproved(control: Control) -> bool:
    """Returns whether a bulk control that protects nobody lacks a second person's approval."""
    if control.bulk_id is None or control.command not in PROTECTS_NOBODY:
        return False
    second = control.approved_by
    return second is None or second.casefold() == control.actor.casefold()


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _refusal(error: ValidationError) -> Rejection:
    """Returns the first fault in words, and the reason that a worker would give."""
    fault = error.errors(include_input=False, include_url=False)[0]
    field = str(fault["loc"][0]) if fault["loc"] else "value"
    kind = fault["type"]
    if kind == "missing":
        return Rejection(Refused.MISSING_FIELD, f"{field} is missing")
    if kind == "string_pattern_mismatch":
        words = _EXPECTED.get(field, "opaque, without blanks")
        return Rejection(Refused.BAD_ID, f"{field} is not {words}")
    if kind in ("greater_than_equal", "less_than_equal", "string_too_long", "string_too_short"):
        return Rejection(Refused.OUT_OF_RANGE, f"{field}: {fault['msg']}")
    return Rejection(Refused.WRONG_TYPE, f"{field}: {fault['msg']}")
