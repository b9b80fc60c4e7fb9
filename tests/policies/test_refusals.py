"""Each refusal has a file in bad/, named for its rule, and its exact words in bad/refused.txt."""

from collections import defaultdict
from pathlib import Path

import pytest

from streams.policies import PolicyFaults, load_policy
from streams.policies.scalars import parse_instant
from tests.policies.given import HERE, written

BAD = HERE / "bad"
SEVERAL = "several-faults"
MORE_THAN_ONE = (SEVERAL, "line-not-lower-across-an-unreadable-phase")
NOW = parse_instant("2024-01-01T00:00:00Z")
"""The clock of the machine that loads."""


def _expected() -> dict[str, list[str]]:
    words: dict[str, list[str]] = defaultdict(list)
    for line in (BAD / "refused.txt").read_text(encoding="utf-8").splitlines():
        words[line.split(".yaml:")[0]].append(line)
    return words


EXPECTED = _expected()
FILES = sorted(path.stem for path in BAD.glob("*.yaml"))


def test_every_bad_file_has_its_words_and_every_word_its_file() -> None:
    assert sorted(EXPECTED) == FILES


@pytest.mark.parametrize("rule", FILES)
def test_a_bad_file_is_refused_with_exactly_these_words(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(Path(f"{rule}.yaml"), require_approvals=True, now=NOW)
    assert str(refusal.value).splitlines() == EXPECTED[rule]


@pytest.mark.parametrize("rule", [name for name in FILES if name not in MORE_THAN_ONE])
def test_each_rule_alone_is_one_fault(rule: str) -> None:
    assert len(EXPECTED[rule]) == 1


def test_all_faults_are_listed_at_once_in_order_of_their_lines() -> None:
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(BAD / f"{SEVERAL}.yaml", require_approvals=True)
    lines = [fault.line for fault in refusal.value.faults]
    assert lines == [2, 4, 5, 6, 9, 12, 13, 14, 16, 21, 21, 23]


def test_the_sound_file_from_which_the_bad_ones_differ_loads() -> None:
    assert load_policy(HERE / "good.yaml", require_approvals=True).platform == "weibo"


def test_one_approval_is_enough_where_approvals_are_not_required() -> None:
    policy = load_policy(BAD / "enforce-without-two-approvals.yaml", require_approvals=False)
    assert policy.mode.value == "enforce"


def test_two_approvals_are_enough_where_they_are_required(tmp_path: Path) -> None:
    path = written(tmp_path, ("mode: shadow\n", "mode: enforce\n"))
    policy = load_policy(path, require_approvals=True)
    assert [actor for actor, _ in policy.approvals] == ["li.w", "zhao.m"]


def test_an_approval_may_be_as_far_ahead_as_clocks_differ(tmp_path: Path) -> None:
    change = ("at: 2023-11-02T10:00:00+08:00", "at: 2024-01-01T08:05:00+08:00")
    assert load_policy(written(tmp_path, change), now=NOW).approvals[-1][1] == NOW + 300_000


def test_an_approval_of_any_day_is_taken_where_no_clock_is_given(tmp_path: Path) -> None:
    """Replay and backtest read policies of other days."""
    path = written(tmp_path, ("at: 2023-11-02", "at: 2099-11-02"))
    assert len(load_policy(path, require_approvals=True).approvals) == 2


def test_one_person_s_two_approvals_are_not_those_of_two(tmp_path: Path) -> None:
    path = written(tmp_path, ("mode: shadow\n", "mode: enforce\n"), ("zhao.m", "LI.w"))
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(path, require_approvals=True)
    assert [fault.message for fault in refusal.value.faults] == [
        "approvals[1].actor: 'LI.w' is 'li.w' in another case",
        "approvals: enforce needs the approval of two different actors",
    ]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weibo.yaml"
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(path)
    assert str(refusal.value) == (
        f"{path}:1: cannot be read (no such file or directory); name a readable file"
    )
