"""What the contract makes of a record: strict JSON, then the pydantic model, to the letter.

The fast decoder is held to this, record by record.
"""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.enums import MAX_VALUE_BYTES
from schemas.inputs import INPUT_MODELS, InputName, input_key
from streams.core.inputs.checker import Checker
from streams.core.inputs.checks import Horizon, check_fields, check_place
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount, Value, decode
from streams.core.inputs.plain import MAX_DEPTH, Refusal, has_name_field
from tests.core.given import GivenRecord

INSTANT = "2024-01-01T00:00:00Z"
WHO = {"platform": "weibo", "account_id": "a1"}
GOOD: dict[InputName, dict[str, Any]] = {
    "follower-counts": {**WHO, "followers": 1500, "observed_at": INSTANT, "cause": "organic"},
    "category-changes": {
        **WHO,
        "category": "财经",
        "observed_at": INSTANT,
        "source": "verified",
        "valid_until": "2024-02-01T08:00:00.5+08:00",
    },
    "account-changes": {**WHO, "change": "closed", "observed_at": INSTANT},
    "notice-receipts": {
        **WHO,
        "invitation_id": "i-1",
        "outcome": "failed",
        "occurred_at": INSTANT,
        "failure": "blocked",
    },
    "consent-answers": {
        **WHO,
        "answer": "granted",
        "occurred_at": INSTANT,
        "invitation_id": "i-1",
        "notice_version": "1",
    },
    "controls": {
        **WHO,
        "control_id": "c-1",
        "command": "extend",
        "actor": "op",
        "reason": "owner_request",
        "issued_at": INSTANT,
        "approved_by": "two",
        "bulk_id": "b-1",
        "expires_at": "2024-02-01T00:00:00Z",
        "until": "2024-03-01T00:00:00Z",
    },
    "switches": {
        "scope": "*",
        "switch": "adverse_off",
        "on": True,
        "actor": "op",
        "reason": "incident",
        "issued_at": INSTANT,
    },
}


class ReferenceUnreadable(ValueError):
    """Not JSON by RFC 8259, or beyond the limits that we set it."""


def by_the_core(name: InputName, raw: bytes) -> Value | Refusal:
    """What the shipped decoder makes of a record, its key left aside."""
    value = decode(name, raw)
    if isinstance(value, Refusal) or says_yes_at_once(value, raw):
        return value
    refusal = check_fields(value, raw)
    if refusal is not None:
        return refusal
    key = _key_of(name, value)
    return check_place(value, key) or value


def says_yes_at_once(value: Value, raw: bytes) -> bool:
    """Whether the core looks no further at a record of a busy topic."""
    if not isinstance(value, DecodedFollowerCount | DecodedCategoryChange):
        return False
    record = GivenRecord(0, 0, f"{value.platform}:{value.account_id}".encode(), raw)
    return _CHECKER.good(record, value, False, _AnyTime(0))


class _AnyTime(Horizon):
    """Allows every time: which ones may be stated is no matter of the form."""

    def allows(self, timestamp: int, observed_at: datetime) -> bool:
        return True


_CHECKER = Checker(0, lambda _: 0, {"weibo": 0}, False)


def _key_of(name: InputName, value: Value) -> bytes:
    if name == "switches":
        return f"{value.scope}:{value.switch}".encode()  # type: ignore[union-attr]
    return f"{value.platform}:{value.account_id}".encode()  # type: ignore[union-attr]


def by_the_contract(name: InputName, raw: bytes, *, last_alone: bool = False) -> BaseModel | None:
    """What the contract makes of a record; None: refused.

    `last_alone`: of a field that stands twice only the last value has to be right.
    """
    if len(raw) > MAX_VALUE_BYTES:
        return None
    try:
        plain, earlier = read(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict) or has_name_field(plain):
        return None
    model = INPUT_MODELS[name]
    try:
        found = model.model_validate(plain)
        for key, value in earlier:
            if key in model.model_fields and not last_alone:
                model.model_validate({**plain, key: value})
    except ValidationError:
        return None
    assert input_key(name, found)
    return found


def read(raw: bytes) -> tuple[Any, list[tuple[str, Any]]]:
    """Strict JSON, and the earlier values of names that an object gives twice (the last counts)."""
    earlier: list[tuple[str, Any]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                earlier.append((key, found[key]))
            found[key] = value
        return found

    text = raw.decode("utf-8")
    plain = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse, parse_float=_finite)
    _sane(plain, 1)
    return plain, earlier


def _refuse(constant: str) -> Any:
    raise ReferenceUnreadable(constant)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ReferenceUnreadable(text)
    return number


def _sane(value: Any, depth: int) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
    if isinstance(value, dict | list) and depth > MAX_DEPTH:
        raise ReferenceUnreadable("too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            key.encode("utf-8")
            _sane(inner, depth + 1)
    if isinstance(value, list):
        for inner in value:
            _sane(inner, depth + 1)


def alike(name: InputName, raw: bytes) -> tuple[bool, str]:
    """Whether both accept with the same value, or both refuse; and what they said.

    A field that stands twice and was wrong at first may be refused or not (corpus.py, "twice"): the
    decoder looks at the type of each value, at the form of an id or a time only in the last one.
    """
    core, contract = by_the_core(name, raw), by_the_contract(name, raw)
    said = f"{raw[:300]!r}\n  core: {core}\n  contract: {contract}"
    if contract is None and not isinstance(core, Refusal):
        contract = by_the_contract(name, raw, last_alone=True)
    if isinstance(core, Refusal) or contract is None:
        return isinstance(core, Refusal) and contract is None, said
    fields = type(contract).model_fields
    return all(getattr(core, field) == getattr(contract, field) for field in fields), said
