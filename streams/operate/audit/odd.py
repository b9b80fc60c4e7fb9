"""Parses bytes that anybody may have written, without ever raising an error."""

import json
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
