"""A sentence of an explanation: what it says, in which language, and the records that show it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from streams.core.model.instants import DAY, HOUR, SECOND, rfc3339
from streams.explain import en, zh

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_MINUTE = 60 * SECOND
_WORDS = {"en": en.WORDS, "zh": zh.WORDS}
_TEXTS = {"en": en.TEXTS, "zh": zh.TEXTS}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class At:
    """An instant (ms), among what a sentence is filled with."""

    ms: int


@dataclass(frozen=True, slots=True)
class Length:
    """A duration in milliseconds."""

    ms: int


@dataclass(frozen=True, slots=True)
class Deed:
    """An event that would go out, and its surfaces."""

    event: str
    surfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """`key`: of a text in both languages; `says`: what it is filled with; `at`: when it happened.

    A filling is a number, an id, an instant, a length, or a word out of the closed lists.
    """

    key: str
    says: dict[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    at: int | None = None

    def text(self, language: Language) -> str:
        """The sentence as a person reads it."""
        filled = {name: _filling(value, language) for name, value in self.says.items()}
        return _TEXTS[language][self.key].format(**filled)

    def as_dict(self, language: Language) -> dict[str, Any]:
        """For a program to read."""
        return {
            "says": self.key,
            "with": {name: _plain(value) for name, value in self.says.items()},
            "text": self.text(language),
            "at": None if self.at is None else rfc3339(self.at),
            "records": [
                {"topic": it.topic, "partition": it.partition, "offset": it.offset}
                for it in self.places
            ],
        }


def _plain(value: Any) -> Any:
    if isinstance(value, At):
        return rfc3339(value.ms)
    if isinstance(value, Length):
        return value.ms // SECOND
    if isinstance(value, Deed):
        return {"event": value.event, "surfaces": list(value.surfaces)}
    return [_plain(it) for it in value] if isinstance(value, tuple) else value


def _filling(value: Any, language: Language) -> str:
    if isinstance(value, At):
        return rfc3339(value.ms)[:19] + "Z"
    if isinstance(value, Length):
        return length(value.ms, language)
    if isinstance(value, Deed):
        event = _filling(value.event, language)
        return f"{event} ({_filling(value.surfaces, language)})" if value.surfaces else event
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(_filling(it, language) for it in value)
    return _WORDS[language].get(str(value), str(value))


def length(milliseconds: int, language: Language) -> str:
    """A length of time in its two largest units; seconds are the smallest."""
    units = ((DAY, "d"), (HOUR, "h"), (_MINUTE, "min"), (SECOND, "s"))
    found = []
    for size, name in units:
        count, milliseconds = divmod(milliseconds, size)
        if count:
            found.append(f"{count} {_WORDS[language][name]}")
    return " ".join(found[:2]) or f"0 {_WORDS[language]['s']}"
