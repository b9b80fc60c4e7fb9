"""Parses bytes that anybody may have written, without ever raising an error."""

import json
from collections.abc import Mapping
from typing import Any

BAD = object()
"""The result of `parse` for bytes that are no JSON."""
OPEN = object()
"""The result of `parse` for JSON that good parsers treat differently.

It is nested too deep, has half of a surrogate pair, a number of too many digits or a byte order
mark.
"""
DEEPEST = 100


def parse(raw: bytes) -> Any:
    """Parses JSON; returns its value, or BAD, or OPEN."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return BAD
    try:
        value = _decode(text)
    except RecursionError:
        return OPEN
    except ValueError as error:
        endless = "Exceeds the limit" in str(error)
        return OPEN if endless or text.startswith("\ufeff") else BAD
    # The walk is slow. Half a surrogate pair can only come as an escape, and depth takes brackets.
    doubtful = "\\u" in text or text.count("[") + text.count("{") > DEEPEST
    return OPEN if doubtful and _strange(value) else value


def earlier(raw: bytes, plain: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns the values that `parse` passes over because their field stands again behind them.

    `plain`: what `parse` made of the bytes.
    """
    marks = 2 * (len(plain) + sum(isinstance(value, str) for value in plain.values()))
    if raw.count(b'"') == marks:
        # A field more would have two quotation marks more.
        return []
    found: list[tuple[str, Any]] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # The outermost object is the last one.
        last = dict(pairs)
        found[:] = [] if len(last) == len(pairs) else _passed_over(pairs)
        return last

    json.loads(raw, object_pairs_hook=collect)
    return found


def _passed_over(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    last = {name: place for place, (name, _) in enumerate(pairs)}
    return [pair for place, pair in enumerate(pairs) if last[pair[0]] != place]


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_decode = json.JSONDecoder(parse_constant=_no_number).decode


def _strange(value: Any) -> bool:
    """Returns whether a value is nested too deep, or has half of a surrogate pair."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        texts = [it for it in level if isinstance(it, str)]
        texts += [key for it in level if isinstance(it, dict) for key in it]
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            return True
        level = [
            each
            for it in level
            if isinstance(it, dict | list)
            for each in (it.values() if isinstance(it, dict) else it)
        ]
        if not level:
            return False
    return True


def mapping(raw: bytes | None) -> dict[str, Any]:
    """Parses a JSON object; returns an empty one for anything else."""
    value = parse(raw or b"")
    return value if isinstance(value, dict) else {}


def text(raw: bytes | None) -> str:
    """Decodes UTF-8; bytes that are none become U+FFFD."""
    return (raw or b"").decode(errors="replace")
