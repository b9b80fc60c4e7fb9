"""The JSON Schema of an expected event of a policy test, made of the models of the events."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Any, Literal, get_args, get_origin

from schemas.enums import Level, Mode, Surface
from schemas.events import EVENT_MODELS, EVENT_REASONS
from schemas.inputs import TIME_PATTERN
from schemas.policy_file import DURATION_PATTERN

HIDDEN = frozenset({"statement"})
"""Fields of events that a test cannot ask for."""
INNER = {"at": "decided_at", "account": "account_id"}
"""The names of a test for fields of events."""
_PLACEHOLDER = {"type": "string", "pattern": r"\$[a-z_]"}
_TIME = {"type": "string", "pattern": rf"{DURATION_PATTERN}|{TIME_PATTERN}"}
Schema = dict[str, Any]


def expected_event() -> Schema:
    """Returns the schema: a text `[AFTER] EVENT [WORD…]`, or an object of fields."""
    return {"anyOf": [_PLACEHOLDER, {"type": "string", "pattern": _short()}, _fields()]}


def _short() -> str:
    events = []
    for event, model in EVENT_MODELS.items():
        words = [*EVENT_REASONS[event], Mode.SHADOW, Mode.ENFORCE]
        words += Surface if "surface" in model.model_fields else ()
        words += Level if "level" in model.model_fields else ()
        events.append(rf"{event.replace('.', '[.]')}(\s+({'|'.join(words)}))*")
    return rf"^\s*([P0-9]\S*\s+)?({'|'.join(events)})\s*$"


def _fields() -> Schema:
    own = {event: _of_event(model.model_fields) for event, model in EVENT_MODELS.items()}
    names = list(dict.fromkeys(name for fields in own.values() for name in fields))
    # What events have in common stands once.
    every = {name: _any_of([it[name] for it in own.values() if name in it]) for name in names}
    events = {"enum": [str(event) for event in own]}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {"event": {"anyOf": [events, _PLACEHOLDER]}} | every,
        "allOf": [
            {
                "if": {"properties": {"event": {"const": str(event)}}, "required": ["event"]},
                "then": {
                    "propertyNames": {"enum": ["event", *fields]},
                    "properties": {
                        name: schema for name, schema in fields.items() if schema != every[name]
                    },
                },
            }
            for event, fields in own.items()
        ],
    }


def _of_event(fields: Any) -> dict[str, Schema]:
    found = {
        name: _any_of(_kinds(field.annotation))
        for name, field in fields.items()
        if name not in HIDDEN | {"event"}
    }
    return {own: found[inner] for own, inner in INNER.items()} | found


def _kinds(annotation: Any) -> list[Schema]:
    """Returns the schemas of the values that a field's type allows, and that of a placeholder."""
    kinds = get_args(annotation) if type(None) in get_args(annotation) else (annotation,)
    return [_PLACEHOLDER, *map(_kind, kinds)]


def _kind(kind: Any) -> Schema:
    if get_origin(kind) is Literal:
        return {"enum": [str(it) for it in get_args(kind)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _any_of([_PLACEHOLDER, _kind(*get_args(kind))])}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [str(it) for it in kind]}
    plain = {int: "integer", str: "string", type(None): "null"}
    return _TIME if kind is datetime else {"type": plain[kind]}


def _any_of(schemas: Sequence[Schema]) -> Schema:
    """Returns the schema of what any of these allows; words of enums stand in one."""
    flat = [one for it in schemas for one in it.get("anyOf", [it])]
    words = list(dict.fromkeys(word for it in flat for word in it.get("enum", ())))
    other: list[Schema] = reduce(
        lambda kept, it: kept if it in kept else [*kept, it],
        [it for it in flat if "enum" not in it],
        [],
    )
    return {"anyOf": [*([{"enum": words}] if words else []), *other]}
