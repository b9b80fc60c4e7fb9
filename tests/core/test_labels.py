"""Labels that look alike are alike.

schemas/CONTRACT.md, "Labels and counts".
"""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.enums import Field
from streams.core.model.labels import folded_label
from streams.core.model.ports import CATEGORIES
from tests.core.given import HOUR, PLATFORM, Day, policy
from tests.core.states import ISSUED, invited

ALIKE = {
    "as it is": "财经",
    "space before": " 财经",
    "ideographic space behind": "财经\u3000",
    "zero-width space": "财\u200b经",
    "zero-width joiner": "财经\u200d",
    "byte order mark": "\ufeff财经",
    "soft hyphen": "财\u00ad经",
    "variation selector": "财\ufe00经",
    "ideographic variation selector": "财经\U000e0100",
}


@pytest.mark.parametrize("how", ALIKE)
def test_a_label_is_compared_after_nfkc_without_what_cannot_be_seen_and_trimmed(how: str) -> None:
    assert folded_label(ALIKE[how]) == "财经"
    day = Day().label(ALIKE[how]).reads(1500)
    assert day.account().label.text == "财经"  # type: ignore[union-attr]
    assert day.wait(HOUR).said() == [ISSUED]


def test_full_width_and_composed_letters_are_the_same() -> None:
    for one, other in (("ＡＩ", "AI"), ("ﬁnance", "finance"), ("e\u0301", "é"), ("㈱", "(株)")):
        assert folded_label(one) == folded_label(other)
    assert folded_label("e\u200d\u0301") == folded_label("é"), "what stood between is gone"
    assert folded_label("AI") != folded_label("ai")


def test_an_invisible_character_cancels_nothing() -> None:
    assert invited().label("财\u200b经").said() == []


@pytest.mark.parametrize("label", [" ", "\u200b", "\u3000\ufe0f", "\u00ad"])
def test_an_empty_label_is_unknown(label: str) -> None:
    day = Day().label(label).reads(1500)
    assert day.dead_letters == []
    assert day.wait(HOUR).said() == []
    assert day.account().label.text is None  # type: ignore[union-attr]


def test_the_length_is_checked_before() -> None:
    assert Day().label("财经" + "\u200b" * 62).dead_letters == []
    day = Day().label("财经" + "\u200b" * 63)
    assert [letter["reason"] for letter in day.dead_letters] == ["out_of_range"]


def test_an_unknown_label_is_never_kept_as_its_text() -> None:
    day = Day().label("旅\u200b游")
    (kept,) = day.tables.state[CATEGORIES].values()
    assert "旅".encode() not in kept
    assert "旅" not in msgspec.json.encode(day.decisions).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {"财经": Field.FINANCE, "财\u200b经": Field.FINANCE}},
        {"labels": {"AI": Field.FINANCE, "ＡＩ": Field.LAW}},
        {"exempt_labels": frozenset({" 财经"})},
        {"exempt_labels": frozenset({"日常", "日常 "})},
        {"exempt_labels": frozenset({"\u200b"})},
    ],
)
def test_a_policy_with_two_labels_that_are_alike_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="label"):
        replace(policy(), **changes)


def test_a_policys_own_label_is_compared_as_any_other() -> None:
    spelt = replace(
        policy(), labels={"财\u200b经 ": Field.FINANCE}, exempt_labels=frozenset({"ＡＩ"})
    )
    assert spelt.field_of("财经") is Field.FINANCE
    assert spelt.field_of("财\u200b经 ") is Field.FINANCE
    assert spelt.field_of("AI") is None
    assert spelt.known_text("AI") == "AI"
    assert Day(spelt).label("财经").reads(1500).wait(HOUR).said() == [ISSUED]


def test_a_label_and_one_alike_go_on_without_a_gap() -> None:
    day = Day().label("财经").reads(1500).wait(HOUR // 2).label("财经\ufe0f")
    assert day.wait(HOUR // 2).said() == [ISSUED]


def test_labels_of_a_batch_are_folded_as_those_alone() -> None:
    day = Day()
    for number, label in enumerate(ALIKE.values()):
        day.label(label, account=f"a{number}")
    kept = {
        msgspec.msgpack.decode(raw)[0]
        for key, raw in day.tables.state[CATEGORIES].items()
        if key.startswith(PLATFORM.encode())
    }
    assert kept == {"财经"}
