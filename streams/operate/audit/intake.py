"""Decides which inputs the contract's first edition refused, independently of the core."""

import json
from typing import Any

from aiokafka.partitioner import murmur2
from pydantic import BaseModel, ValidationError

from schemas.enums import ALLOWED_SKEW_SECONDS, MAX_VALUE_BYTES, NAME_FIELDS
from schemas.inputs import INPUT_MODELS, Control, InputName, input_key
from streams.operate.audit.records import Record, stamp

TIMES = ("observed_at", "occurred_at", "issued_at")


def read_input(
    record: Record, now: int, partitions: int | None, require_approvals: bool
) -> BaseModel | None:
    """Returns the input's value; None if the contract refuses it. `now` is in milliseconds.

    `partitions`: how many the topic has; None: the partition of the key is not checked.
    `require_approvals`: a bulk control needs two people.
    """
    if record.value is None or record.key is None or len(record.value) > MAX_VALUE_BYTES:
        return None
    name: InputName = record.topic  # type: ignore[assignment]
    try:
        plain = json.loads(record.value)
        value = INPUT_MODELS[name].model_validate(plain)
    except (ValueError, ValidationError, RecursionError):
        return None
    if record.key != input_key(name, value).encode() or _names_somebody(plain):
        return None
    if partitions and (murmur2(record.key) & 0x7FFFFFFF) % partitions != record.partition:
        return None
    latest = max(now, record.timestamp) + ALLOWED_SKEW_SECONDS * 1000
    if any(stamp(getattr(value, field)) > latest for field in TIMES if hasattr(value, field)):
        return None
    if require_approvals and isinstance(value, Control) and _unapproved(value):
        return None
    return value


def _unapproved(control: Control) -> bool:
    """Returns whether a bulk control lacks the approval of a second person."""
    return control.bulk_id is not None and control.approved_by in (None, control.actor)


def _names_somebody(plain: Any) -> bool:
    if isinstance(plain, dict):
        return any(
            str(key).lower() in NAME_FIELDS or _names_somebody(value)
            for key, value in plain.items()
        )
    return isinstance(plain, list) and any(_names_somebody(value) for value in plain)
