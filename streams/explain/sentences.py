"""A sentence of an explanation: its text in each language, and the records that prove it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from streams.core.model.instants import DAY, HOUR, SECOND, rfc3339
from streams.explain import en, vocabulary, zh

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_MINUTE = 60 * SECOND
_WORDS = {"en": en.WORDS, "zh": zh.WORDS}
_TERMS = {"en": vocabulary.ENGLISH, "zh": vocabulary.CHINESE}
_TEXTS = {"en": en.TEXTS, "zh": zh.TEXTS}


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a record in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class At:
    """An instant (ms) as a value in a sentence."""

    ms: int


@dataclass(frozen=True, slots=True)
class Length:
    """A duration (ms) as a value in a sentence."""

    ms: int


@dataclass(frozen=True, slots=True)
class Deed:
    """An event that would be published, and its surfaces, as a value in a sentence."""

    event: str
    surfaces: tuple[str, ...] = ()


class Term(str):
    """A word of a closed list (vocabulary.py), said in the language of the text.

    `kind` tells words apart that are alike on the wire: a reason, a topic's speaker, what is said.
    """

    __slots__ = ("kind",)

    def __new__(cls, word: str, kind: str = "") -> "Term":
        """Returns a word of a list that has this kind."""
        made = super().__new__(cls, word)
        made.kind = f"{kind}." if kind else ""
        return made

    kind: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence.

    `key`: of its text in `en.py` and `zh.py`. `says`: the values of the text's fields: numbers,
    ids, instants, durations, and values of closed lists. `places`: the records that prove it. `at`:
    when it happened (ms); None: it says what is so now.
    """

    key: str
    says: dict[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    at: int | None = None

    def text(self, language: Language) -> str:
        """Returns the sentence in a language."""
        filled = {name: _filling(value, language) for name, value in self.says.items()}
        return _TEXTS[language][self.key].format(**filled)

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Returns key, values, text, time and records as JSON."""
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
        surfaces = _filling(value.surfaces, language)
        around = f"（{surfaces}）" if language == "zh" else f" ({surfaces})"
        return f"{event}{around}" if value.surfaces else event
    if isinstance(value, Term):
        return _TERMS[language].get(f"{value.kind}{value}", f"`{value}`")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        between = "、" if language == "zh" else ", "
        return between.join(_filling(it, language) for it in value)
    return _WORDS[language].get(str(value), str(value))


def length(milliseconds: int, language: Language) -> str:
    """Writes a duration in its two largest units; the smallest unit is a second."""
    units = ((DAY, "d"), (HOUR, "h"), (_MINUTE, "min"), (SECOND, "s"))
    found = []
    for size, name in units:
        count, milliseconds = divmod(milliseconds, size)
        if count:
            found.append(f"{count} {_WORDS[language][name]}")
    return " ".join(found[:2]) or f"0 {_WORDS[language]['s']}"
