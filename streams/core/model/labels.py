"""Normalises labels, so that labels that look the same are equal.

schemas/CONTRACT.md, "Labels and counts".

A platform's category text may have full-width letters, invisible characters, or spaces at its ends.
None of them makes it another label.
"""

import unicodedata
from functools import lru_cache

_SELECTORS = frozenset(
    map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
"""Variation selectors: invisible characters that choose the shape of the letter before them."""


@lru_cache(maxsize=4096)
def folded_label(text: str) -> str:
    """Returns the normal form of a label: NFKC, no format characters or variation selectors, no
    white space at the ends. An empty result never matches a label of a policy.
    """
    if text.isascii():
        return text.strip()
    kept = filter(_is_drawn, unicodedata.normalize("NFKC", text))
    # Normalised again: two letters may combine once an invisible character between them is gone.
    return unicodedata.normalize("NFKC", "".join(kept)).strip()


def _is_drawn(character: str) -> bool:
    return character not in _SELECTORS and unicodedata.category(character) != "Cf"
