"""Masks a refused record for display, because it may contain personal data.

A field is shown if it is of the contract and its value is valid: a number, a time, an enum value,
an id. All other text is masked, names of unknown fields included.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.cures import CURES
from schemas.enums import Refused
from streams.core.inputs.plain import read_plain
from streams.letters.origins import Found
from streams.operate.send_check import SENT_MODELS

FREE_TEXT = frozenset({"category"})
"""Fields of the contract that may hold any text; they are always masked."""


def masked(found: Found) -> dict[str, Any]:
    """Returns what may be shown of a refused record and its dead letter."""
    letter = found.letter
    said: dict[str, Any] = {
        "record": str(letter.origin),
        "reason": letter.reason,
        "field": letter.field,
        "refused_at": letter.refused_at,
        "bytes": letter.size,
        "sha256" if letter.digest_key is None else "hmac_sha256": letter.digest,
        "settled": letter.settled,
    }
    if letter.reason in CURES:
        said["cure"] = CURES[Refused(letter.reason)]
    if found.gone is not None:
        return {**said, "gone": found.gone}
    said["key"] = _key(found)
    said["headers"] = len(found.headers)
    if found.value is None:
        return {**said, "value": None}
    plain, _ = read_plain(found.value)
    if not isinstance(plain, dict):
        return {**said, "value": f"no JSON object, {len(found.value)} bytes"}
    return {**said, "value": _fields(SENT_MODELS[letter.origin.topic], plain)}


def _key(found: Found) -> str | None:
    """Returns the key if it is that of the letter, which is a valid one; else only its length."""
    if found.key is None:
        return None
    same = found.key == found.letter.key
    return found.key.decode() if same else f"masked, {len(found.key)} bytes"


def _fields(model: type[BaseModel], plain: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    unknown = 0
    for name, value in plain.items():
        if name not in model.model_fields:
            unknown += 1
            shown[f"unknown field {unknown}"] = _mask(value)
        elif name in FREE_TEXT or not _allowed(model, name, value):
            shown[name] = _mask(value)
        else:
            shown[name] = value
    return shown


def _allowed(model: type[BaseModel], name: str, value: Any) -> bool:
    field = model.model_fields[name]
    try:
        TypeAdapter(model.__annotations__[name]).validate_json(json.dumps(value))
    except ValidationError:
        return False
    return field is not None


def _mask(value: Any) -> str:
    if isinstance(value, str):
        return f"masked, {len(value)} characters"
    if isinstance(value, dict | list):
        return f"masked, {len(value)} members"
    return f"masked, {'a truth value' if isinstance(value, bool) else 'a number or null'}"
