"""Which input is refused, from the record, the wire models and the contract alone.

schemas/CONTRACT.md, "What is refused".
"""

import json
import unicodedata
from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from schemas.enums import (
    ALLOWED_SKEW_SECONDS,
    EARLIEST_TIME_MS,
    MAX_VALUE_BYTES,
    NAME_FIELDS,
)
from schemas.inputs import INPUT_MODELS, TOMBSTONES, input_key
from tests.oracle.policy import instant
from tests.oracle.records import EPOCH, OracleRecord, partition_of

EARLIEST = EPOCH + timedelta(milliseconds=EARLIEST_TIME_MS)
SKEW = timedelta(seconds=ALLOWED_SKEW_SECONDS)
PROTECTS_NOBODY = ("unhold", "reissue", "settle", "appeal_rejected")
OBSERVED = ("follower-counts", "category-changes")


def folded_name(field: str) -> str:
    """A field's name as it is compared: NFKC, case folded, letters and digits alone."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", field).casefold())
    return "".join(one for one in text if one.isalnum())


NAMES = frozenset(map(folded_name, NAME_FIELDS))


def sampled(offset: int) -> bool:
    """Whether a reading below the floor is checked whole."""
    return offset % 1024 == offset // 1024 % 1024


def judge(
    record: OracleRecord,
    *,
    partitions: int | None,
    prefix: str,
    platforms: Collection[str],
    floors: Mapping[str, Decimal] | None = None,
) -> str:
    """`accept`, `refuse` or `either`."""
    name = record.topic.removeprefix(prefix)
    if record.value is None:
        return "either" if name in TOMBSTONES else "refuse"
    if len(record.value) > MAX_VALUE_BYTES:
        return "refuse"
    try:
        raw = json.loads(record.value)
        value = INPUT_MODELS[name].model_validate(raw)  # type: ignore[index]
    except ValidationError as error:
        return _of_reading(error, record, floors) if name == "follower-counts" else "refuse"
    except (ValueError, UnicodeDecodeError):
        return "refuse"
    platform = getattr(value, "platform", None)
    if name != "switches" and platforms and platform not in platforms:
        return "refuse"
    wrong = has_name(raw) or bool(_wrong_times(name, raw, record))
    wrong = wrong or record.key != input_key(name, value).encode()  # type: ignore[arg-type]
    if partitions is not None and name != "switches":
        wrong = wrong or record.partition != partition_of(record.key or b"", partitions)
    if wrong:
        whole = name != "follower-counts" or _looked_at(raw, record, floors)
        return "refuse" if whole else "either"
    return "either" if _by_setting(name, raw, platforms) else "accept"


def has_name(value: Any) -> bool:
    """Whether a field, at any depth, is known to carry a person's name or identity number."""
    if isinstance(value, list):
        return any(map(has_name, value))
    if not isinstance(value, dict):
        return False
    return any(folded_name(key) in NAMES or has_name(one) for key, one in value.items())


def _wrong_times(name: str, raw: dict[str, Any], record: OracleRecord) -> list[str]:
    """Times that are refused. A word's own time never is: it is replaced by the entry."""
    bounds = ("expires_at", "until", "valid_until")
    wrong = [one for one in bounds if raw.get(one) and instant(raw[one]) < EARLIEST]
    if name in OBSERVED:
        # A record that is not `LogAppendTime` entered by its time stamp at the latest.
        at, entered = (
            instant(raw["observed_at"]),
            EPOCH + timedelta(milliseconds=record.timestamp_ms),
        )
        wrong += ["observed_at"] if at < EARLIEST or at > entered + SKEW else []
    return wrong


def _looked_at(
    raw: dict[str, Any], record: OracleRecord, floors: Mapping[str, Decimal] | None
) -> bool:
    """Whether a reading passes the floor filter or is of the sample."""
    if floors is None or raw.get("platform") not in floors:
        return False
    return raw["followers"] >= floors[raw["platform"]] or sampled(record.offset)


def _of_reading(
    error: ValidationError, record: OracleRecord, floors: Mapping[str, Decimal] | None
) -> str:
    """JSON, types, range and platform of a reading are always checked, ids and times not."""
    faults = [(str(one["loc"][0]) if one["loc"] else "", one["type"]) for one in error.errors()]
    if any(field not in ("account_id", "observed_at") for field, _ in faults):
        return "refuse"
    if any(kind == "string_type" for _, kind in faults):
        return "refuse"
    raw = json.loads(record.value or b"")
    return "refuse" if _looked_at(raw, record, floors) else "either"


def _by_setting(name: str, raw: dict[str, Any], platforms: Collection[str]) -> bool:
    """Whether a setting decides: approvals, or a switch of a platform without a policy [60]."""
    if name == "switches":
        return bool(platforms) and raw["scope"] not in ("*", *platforms)
    bulk = name == "controls" and raw.get("bulk_id") is not None
    return bulk and raw["command"] in PROTECTS_NOBODY
