"""What others wrote is text in a file that a person opens: no formula, no markup."""

import pytest

from streams.operate.cells import csv_row, markdown_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(1)", "+1+1", "-2+3", "\t=1", "\r=1", "\n=1", "＝1", "=cmd|' /C calc'!A0"]
)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert csv_row([text]) == [f"'{text}"]


@pytest.mark.parametrize("value", [-5, -5.5, None, 0, "-5", "-5.5", "+3", "a=b", "", "–", "a-b"])
def test_a_number_and_a_plain_text_stay(value: object) -> None:
    assert csv_row([value]) == [value]


def test_markup_is_read_as_it_stands() -> None:
    assert markdown_cell("<img src=x onerror=alert(1)>") == r"\<img src=x onerror=alert(1)\>"
    assert markdown_cell("a|b\n# [x](y) `z` \\") == r"a\|b \# \[x\](y) \`z\` \\"
    assert markdown_cell("no_answer") == "no_answer"
