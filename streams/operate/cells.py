"""Makes texts of others harmless in files that people open: cells of CSV and of Markdown."""

import re
from collections.abc import Iterable
from typing import Any

_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
"""How a cell begins that a spreadsheet takes for a formula; some take the full-width signs too."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MARKUP = re.compile(r"([\\`*\[\]<>|&~#!])")


def csv_row(cells: Iterable[Any]) -> list[Any]:
    """Returns the cells of a line of CSV; a text that is a formula begins with an apostrophe.

    A number stays one, a negative one and one that is written as text as well.
    """
    return [_harmless(it) if isinstance(it, str) else it for it in cells]


def _harmless(text: str) -> str:
    formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text


def markdown_cell(text: str) -> str:
    """Returns a text as it reads in a cell of Markdown, whatever signs are in it."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
