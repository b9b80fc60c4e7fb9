"""How labels are compared: labels that look alike are alike.

schemas/CONTRACT.md, "Labels and counts".

A platform's own category text may come with full-width letters, invisible characters or spaces at
its ends. None of them makes it another label.
"""

import unicodedata
from functools import lru_cache

_SELECTORS = frozenset(
    map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Variation selectors: they choose how the letter before them is drawn."""


@lru_cache(maxsize=4096)
def folded_label(text: str) -> str:
    """A label as it is compared: NFKC, no format characters or variation selectors, trimmed.

    An empty label is unknown, whatever the policy says.
    """
    if text.isascii():
        return text.strip()
    kept = filter(_is_drawn, unicodedata.normalize("NFKC", text))
    # Once a character between them is gone, two letters may combine into one.
    return unicodedata.normalize("NFKC", "".join(kept)).strip()


def _is_drawn(character: str) -> bool:
    return character not in _SELECTORS and unicodedata.category(character) != "Cf"
