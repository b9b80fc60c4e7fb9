"""Labels are compared by what people see of them."""

import random

import pytest

from streams.core.labels import folded_label


@pytest.mark.parametrize(
    "spelt",
    [
        "财经",
        " 财经\u3000",
        "财\u200b经",
        "\ufeff财经",
        "财经\ufe0f",
        "财\U000e0100经",
        "财经\u2060\u200d",
        "财\u180b经\n",
    ],
)
def test_invisible_characters_make_no_other_label(spelt: str) -> None:
    assert folded_label(spelt) == "财经"


def test_wide_letters_are_the_narrow_ones() -> None:
    assert folded_label("ＩＴ科技") == "IT科技"


@pytest.mark.parametrize("nothing", ["", "   ", "\u200b", "\u00ad\ufe0f", "\u3000\u2060"])
def test_a_label_without_a_visible_character_is_empty(nothing: str) -> None:
    assert folded_label(nothing) == ""


def test_letters_and_their_case_stay() -> None:
    assert folded_label("Finance") != folded_label("finance")


def test_a_label_folded_twice_is_as_folded_once() -> None:
    letters = "e\u0301\u200d\ufe0f\u1100\u1161\u00adﬁ \u3000財\u200b½"
    seed = random.Random(12)
    for _ in range(5_000):
        text = "".join(seed.choice(letters) for _ in range(seed.randrange(8)))
        assert folded_label(folded_label(text)) == folded_label(text)
