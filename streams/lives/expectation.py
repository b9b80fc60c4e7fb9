"""Expected events of a test: reads them, and compares them with the events that came.

A form is an expected event: it fits every event that has all its words and field values.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.core.model.instants import milliseconds
from streams.lives.moments import Moments
from streams.lives.possible import (
    INNER,
    TIMES,
    WORD_FIELDS,
    check_fields,
    check_words,
    event_of,
)
from streams.policies.faults import InvalidValue
from streams.policies.scalars import quoted

Published = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """An expected event.

    `event`: its name; None: any. `words`: surface, reason, mode or level that it must have.
    `fields`: names and values that it must have; times in ms.
    """

    event: str | None
    words: tuple[str, ...]
    fields: tuple[tuple[str, Any], ...]

    def fits(self, event: Published) -> bool:
        """Returns whether an event has everything that the form asks for."""
        if self.event is not None and event["event"] != self.event:
            return False
        if self.words and not all(word in _words(event) for word in self.words):
            return False
        # A field that an event lacks is not null.
        return all(name in event and _value(event, name) == value for name, value in self.fields)

    def text(self, moments: Moments) -> str:
        """Returns the form as one printed line."""
        at = [moments.shown(value) for name, value in self.fields if name == "decided_at"]
        rest = [_named(name, value, moments) for name, value in self.fields if name != "decided_at"]
        return " ".join([*at, self.event or "any event", *self.words, *rest])


def read_form(value: object, moments: Moments) -> Form:
    """Parses one expected event.

    Raises InvalidValue for an unknown event, word, field or time, and for what the event, by its
    own model, can never have.
    """
    if isinstance(value, str):
        return _short(value, moments)
    assert isinstance(value, dict)
    asked = {name: wanted for name, wanted in value.items() if name != "event"}
    event = event_of(str(value["event"])) if "event" in value else None
    check_fields(event, asked)
    fields = []
    for name, wanted in asked.items():
        inner = INNER.get(name, name)
        known = inner in TIMES and wanted is not None
        fields.append((inner, moments.at(wanted) if known else wanted))
    return Form(event, (), tuple(fields))


def _short(text: str, moments: Moments) -> Form:
    parts = text.split()
    fields: tuple[tuple[str, Any], ...] = ()
    if parts and parts[0][0] in "P0123456789":
        fields = (("decided_at", moments.at(parts.pop(0))),)
    if not parts:
        raise InvalidValue(f"{quoted(text)} names no event", "write one such as invitation.issued")
    event = event_of(parts[0])
    words = tuple(parts[1:])
    check_words(event, words)
    return Form(event, words, fields)


def _words(event: Published) -> tuple[Any, ...]:
    return tuple(event.get(name) for name in WORD_FIELDS)


def _value(event: Published, name: str) -> Any:
    value = event.get(name)
    return _instant(value) if name in TIMES and value is not None else value


def _instant(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


def _named(name: str, value: Any, moments: Moments) -> str:
    return f"{name}={moments.shown(value) if name in TIMES and value is not None else value}"


def shown(event: Published, moments: Moments, fields: Sequence[str] = ()) -> str:
    """Returns an event as one printed line, with the fields that a test asks for."""
    words = [str(word) for word in _words(event) if word is not None]
    at = moments.shown(_instant(event["decided_at"]))
    rest = [
        _named(name, _value(event, name), moments)
        for name in fields
        if name != "decided_at" and name in event
    ]
    return " ".join([at, event["event"], *words, *rest])


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects.

    `events`: exactly these events; None: not checked. `include`: these in this order, among others.
    `never`: no event fits one of these. `counts`: how many events of each name.
    """

    events: Sequence[Form] | None
    include: Sequence[Form]
    never: Sequence[Form]
    counts: Mapping[str, int]

    def difference(self, events: Sequence[Published], moments: Moments) -> list[str]:
        """Returns the lines in which the events differ from the expectation; none: it holds."""
        lines: list[str] = []
        if self.events is not None:
            lines += _whole(self.events, events, moments)
        place = 0
        for form in self.include:
            found = next((i for i in range(place, len(events)) if form.fits(events[i])), None)
            if found is None:
                lines.append(f"- {form.text(moments)}")
                lines += [f"  {shown(event, moments, _asked(form))}" for event in events[place:]]
                break
            place = found + 1
        for form in self.never:
            lines += [
                f"+ {shown(event, moments, _asked(form))}   (never: {form.text(moments)})"
                for event in events
                if form.fits(event)
            ]
        counted = Counter(event["event"] for event in events)
        lines += [
            f"- {wanted} of {name}, not {counted[name]}"
            for name, wanted in self.counts.items()
            if counted[name] != wanted
        ]
        return lines


def _asked(form: Form) -> list[str]:
    return [name for name, _ in form.fields]


def _whole(forms: Sequence[Form], events: Sequence[Published], moments: Moments) -> list[str]:
    """Returns the lines of an exact comparison, as `diff` writes them; empty if all are equal."""
    if len(forms) == len(events) and all(
        form.fits(event) for form, event in zip(forms, events, strict=True)
    ):
        return []
    # The longest common subsequence: length[i][j] is that of forms[i:] and events[j:].
    rows, columns = len(forms), len(events)
    length = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            same = forms[i].fits(events[j])
            length[i][j] = (
                length[i + 1][j + 1] + 1 if same else max(length[i + 1][j], length[i][j + 1])
            )
    lines, i, j = [], 0, 0
    while i < rows or j < columns:
        if i < rows and j < columns and forms[i].fits(events[j]):
            lines.append(f"  {shown(events[j], moments)}")
            i, j = i + 1, j + 1
        elif j >= columns or (i < rows and length[i + 1][j] >= length[i][j + 1]):
            lines.append(f"- {forms[i].text(moments)}")
            i += 1
        else:
            asked = _asked(forms[min(i, rows - 1)]) if rows else []
            lines.append(f"+ {shown(events[j], moments, asked)}")
            j += 1
    return lines
