"""Which fields, values and words an event can have, by its own model.

A form that no event can have would hold as `never` for every life. So it is refused.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError

from schemas.enums import Event, Ground, Level, Mode, Surface
from schemas.events import EVENT_MODELS
from schemas.expected_events import HIDDEN, INNER
from streams.policies.faults import InvalidValue
from streams.policies.scalars import one_of, quoted

WORD_FIELDS = ("surface", "reason", "mode", "level")
_KINDS = {"surface": Surface, "reason": Ground, "mode": Mode, "level": Level}
_WORDS = [str(word) for kind in _KINDS.values() for word in kind]


def fields_of(event: Event) -> list[str]:
    """Returns the fields of an event that a form can ask for, with the names of a test."""
    names = [name for name in EVENT_MODELS[event].model_fields if name not in HIDDEN]
    return [*INNER, *names]


ALL_FIELDS = frozenset(name for event in Event for name in fields_of(event))
TIMES = frozenset(
    name
    for model in EVENT_MODELS.values()
    for name, field in model.model_fields.items()
    if field.annotation is datetime or datetime in get_args(field.annotation)
)
"""The fields of events that are times."""


def event_of(name: str) -> Event:
    """Returns the event with this name. Raises InvalidValue if there is none."""
    if name not in list(Event):
        raise InvalidValue(f"there is no event {quoted(name)}", one_of(name, Event))
    return Event(name)


def check_fields(event: Event | None, fields: Mapping[str, Any]) -> None:
    """Raises InvalidValue if the event, or any if it is None, cannot have all these values.

    `fields`: by the names of a test. A time is only checked for being null.
    """
    for name in fields:
        if name not in ALL_FIELDS:
            raise InvalidValue(f"no event has a field {quoted(name)}", one_of(name, ALL_FIELDS))
    objections = [_objection(it, fields) for it in ([*Event] if event is None else [event])]
    if None in objections:
        return
    if event is None and len(fields) > 1:
        raise InvalidValue(
            f"no event can have {', '.join(fields)} as they are here together",
            "name the event, which says what it cannot have",
        )
    # Of one field, the event that comes nearest is one that has it.
    worst = [it for it in objections if it is not None]
    raise next((it for it in worst if " has no " not in it.message), worst[0])


def _objection(event: Event, fields: Mapping[str, Any]) -> InvalidValue | None:
    known = fields_of(event)
    for name, value in fields.items():
        if name not in known:
            return InvalidValue(f"{event} has no {name}", one_of(name, known))
        inner = INNER.get(name, name)
        if inner in TIMES and value is not None:
            continue
        try:
            _adapter(event, inner).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            return _wrong(event, name, value, error)
    return None


def _wrong(event: Event, name: str, value: Any, error: ValidationError) -> InvalidValue:
    if value is None:
        return InvalidValue(f"{name} of {event} is never null", "leave it out, or write a value")
    words = _words_of(event).get(name)
    if words is not None and isinstance(value, str):
        return InvalidValue(f"{event} never has the {name} {quoted(value)}", one_of(value, words))
    said = error.errors()[0]["msg"].lower()
    return InvalidValue(f"{name} of {event} is never {value!r}: {said}", "write it as the event")


@cache
def _adapter(event: Event, name: str) -> TypeAdapter[Any]:
    """Returns what checks a value of an event's field, as JSON: a number is no text."""
    field = EVENT_MODELS[event].model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


@cache
def _words_of(event: Event) -> dict[str, list[str]]:
    """Returns the words that an event can have, by field."""
    found = {}
    for name in WORD_FIELDS:
        field = EVENT_MODELS[event].model_fields.get(name)
        if field is not None:
            words: Iterable[Any] = get_args(field.annotation) or list(_KINDS[name])
            found[name] = [str(word) for word in words]
    return found


def check_words(event: Event, words: Sequence[str]) -> None:
    """Raises InvalidValue if an event cannot have all these words at once."""
    possible = _words_of(event)
    taken: dict[str, str] = {}
    for word in words:
        if word not in _WORDS:
            raise InvalidValue(
                f"{quoted(word)} is no surface, reason, mode or level", one_of(word, _WORDS)
            )
        # No word of an event is one of two fields.
        name = next((it for it, known in possible.items() if word in known), None)
        if name is None:
            kinds = [it for it, kind in _KINDS.items() if word in list(kind)]
            there = next((it for it in kinds if it in possible), None)
            what = f"never has the {there} {quoted(word)}" if there else f"has no {kinds[0]}"
            fix = one_of(word, [it for known in possible.values() for it in known])
            raise InvalidValue(f"{event} {what}", fix)
        if taken.setdefault(name, word) != word:
            raise InvalidValue(
                f"{event} has one {name}, not {quoted(taken[name])} and {quoted(word)}",
                "write a form for each",
            )
