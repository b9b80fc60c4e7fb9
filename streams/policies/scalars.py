"""Parses the scalars of a policy file: durations, instants, ratios, integers; never as floats.

YAML 1.2 (core schema) says which plain scalars are numbers, null, true and false. Everything in
quotes is text. Durations and instants may be written with or without quotes.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from ruamel.yaml.nodes import Node, ScalarNode

from schemas.inputs import TIME_PATTERN
from streams.core.model.policy import PPM
from streams.policies.faults import Fix, InvalidValue

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

SHOWN_LENGTH = 40
"""How many characters of a value a message quotes."""

LONGEST_NAME = 64
"""The length of the longest name. A longer text cannot be a misspelt name."""

LONGEST = 36_525 * DAY
"""A century in ms. A longer duration is surely a mistake."""

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>[0-9]{1,9})W"
    r"|(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=.)(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,12})S)?)?)"
)
_CALENDAR = re.compile(r"P(?=.)(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T.+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Word = TypeVar("Word", bound=StrEnum)

_TAG = "tag:yaml.org,2002:"


def tag(node: Node) -> str:
    """Returns the YAML 1.2 type of a node: str, int, float, bool, null, seq, map, other …"""
    name = str(node.tag)
    return name.removeprefix(_TAG) if name.startswith(_TAG) else "other"


def shown(node: Node) -> str:
    """Returns the node as a message quotes it, shortened."""
    if not isinstance(node, ScalarNode):
        return "a list" if tag(node) == "seq" else "a mapping"
    if tag(node) == "null":
        return "null"
    return quoted(str(node.value))


def quoted(text: str) -> str:
    """Returns a text in quotes for a message, shortened."""
    return repr(text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…")


def one_of(text: str, names: Iterable[str]) -> Fix:
    """Returns the fix for a word that is not in a closed list: the nearest word, else all words."""
    known = [str(name) for name in names]

    def fix() -> str:
        near = nearest(text, known)
        return f"did you mean {near!r}?" if near else f"use one of {', '.join(known)}"

    return fix


def nearest(text: str, names: Iterable[str]) -> str | None:
    """Returns the most similar name, or None if none is similar."""
    if len(text) > LONGEST_NAME:
        return None
    return next(iter(difflib.get_close_matches(text, list(names), n=1)), None)


def parse_duration(text: str) -> int:
    """Parses an ISO 8601 duration down to seconds (P2W, P3D, P1DT2H30M, PT0S); returns ms.

    Raises:
        InvalidValue: not such a text, negative, longer than a century, or in years or months, which
            have no fixed length.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        if _CALENDAR.fullmatch(text):
            raise InvalidValue(
                f"{quoted(text)} has no fixed length", "write years and months in days: P30D"
            )
        raise InvalidValue(
            f"{quoted(text)} is not a duration",
            "write ISO 8601 down to seconds: P3D, PT24H, P1DT2H30M",
        )
    parts = {unit: int(count or 0) for unit, count in match.groupdict().items()}
    length = (
        parts["weeks"] * WEEK
        + parts["days"] * DAY
        + parts["hours"] * HOUR
        + parts["minutes"] * MINUTE
        + parts["seconds"] * SECOND
    )
    if length > LONGEST:
        raise InvalidValue(f"{quoted(text)} is longer than a century", "write at most P36525D")
    return length


def format_duration(milliseconds: int) -> str:
    """Returns the shortest ISO 8601 text of a duration in ms; `parse_duration` reads it back."""
    days, rest = divmod(milliseconds, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = Decimal(rest) / SECOND
    clock = f"{hours}H" if hours else ""
    clock += f"{minutes}M" if minutes else ""
    clock += f"{seconds}S" if seconds or not (days or clock) else ""
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def parse_instant(text: str) -> int:
    """Parses a time in RFC 3339 with an offset; returns ms since 1970.

    Raises:
        InvalidValue: not such a text, or no such day.
    """
    fix = "write it with its offset: 2023-12-22T00:00:00+08:00"
    if re.fullmatch(TIME_PATTERN, text) is None:
        raise InvalidValue(f"{quoted(text)} is not a time with an offset", fix)
    try:
        at = datetime.fromisoformat(re.sub(r"(\.[0-9]{1,6})[0-9]*", r"\1", text.upper()))
        return (at.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise InvalidValue(
            f"{quoted(text)} is no such time", "write a day of the calendar"
        ) from error


def offset_minutes(text: str) -> int:
    """Returns the offset from UTC, in minutes, of a time that `parse_instant` accepts."""
    offset = datetime.fromisoformat(re.sub(r"\.[0-9]+", "", text.upper())).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) // 60


def format_instant(milliseconds: int) -> str:
    """Formats ms since 1970 as outputs do: RFC 3339, UTC, milliseconds, `Z`."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_ratio_ppm(text: str) -> int:
    """Parses a ratio above 0 and at most 1; returns it in parts per million, exactly.

    Raises:
        InvalidValue: not a decimal number, out of range, or with more than six decimals.
    """
    if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,30})?", text) is None:
        raise InvalidValue(f"{quoted(text)} is not a ratio", "write a decimal number such as 0.95")
    parts_per_million = Decimal(text) * PPM
    if not 0 < parts_per_million <= PPM:
        raise InvalidValue(f"{text} is not above 0 and at most 1", "write a ratio such as 0.95")
    if parts_per_million != int(parts_per_million):
        raise InvalidValue(f"{text} is finer than a millionth", "write at most six decimals")
    return int(parts_per_million)


def read_text(node: Node) -> str:
    """Returns a text. A number, date or boolean is one only in quotes.

    Raises:
        InvalidValue: another type.
    """
    if tag(node) != "str":
        fix = "write a text"
        if isinstance(node, ScalarNode) and tag(node) != "null":
            fix = f"put it in quotes: {shown(node)}"
        raise InvalidValue(f"{shown(node)} is not text", fix)
    return str(node.value)


def read_integer(node: Node, low: int, high: int) -> int:
    """Returns a whole number from `low` to `high`.

    Raises:
        InvalidValue: another type, or out of range.
    """
    if tag(node) != "int" or re.fullmatch(r"-?[0-9]{1,40}", str(node.value)) is None:
        raise InvalidValue(
            f"{shown(node)} is not a whole number",
            "write digits alone, without quotes or separators",
        )
    number = int(node.value)
    if not low <= number <= high:
        raise InvalidValue(f"{number} is out of range", f"write a number from {low} to {high}")
    return number


def read_number(node: Node) -> str:
    """Returns the digits of a number as text, so that no float loses precision.

    Raises:
        InvalidValue: another type.
    """
    if tag(node) not in ("int", "float"):
        raise InvalidValue(f"{shown(node)} is not a number", "write digits without quotes: 0.95")
    return str(node.value)


def read_boolean(node: Node) -> bool:
    """Returns true or false.

    Raises:
        InvalidValue: another type; `yes` and `on` are texts in YAML 1.2.
    """
    if tag(node) != "bool" or str(node.value).lower() not in ("true", "false"):
        raise InvalidValue(f"{shown(node)} is neither true nor false", "write true or false")
    return str(node.value).lower() == "true"


def read_scalar(node: Node) -> str:
    """Returns a scalar's text, for a duration, an instant, a ratio or a word of a closed list.

    `off` is a text here, as in YAML 1.2, even under a `%YAML 1.1` line.

    Raises:
        InvalidValue: null, a list or a mapping.
    """
    if not isinstance(node, ScalarNode) or tag(node) == "null":
        raise InvalidValue(f"{shown(node)} stands where a value is needed", "write the value")
    return str(node.value)


def read_word(node: Node, words: type[Word], allowed: Iterable[Word] | None = None) -> Word:
    """Returns a word of a closed list, or of the part of it that is `allowed` here.

    Raises:
        InvalidValue: another word; the fix names the nearest one, or all of them.
    """
    text, known = read_scalar(node), list(words if allowed is None else allowed)
    for word in known:
        if word == text:
            return word
    raise InvalidValue(f"unknown {words.__name__.lower()} {quoted(text)}", one_of(text, known))


def matching(pattern: str, kind: str) -> Callable[[Node], str]:
    """Makes a reader of texts that match a pattern. It refuses any other text as `not <kind>`."""

    def read(node: Node) -> str:
        text = read_text(node)
        if re.fullmatch(pattern, text) is None:
            raise InvalidValue(f"{shown(node)} is not {kind}", f"write one that matches {pattern}")
        return text

    return read
