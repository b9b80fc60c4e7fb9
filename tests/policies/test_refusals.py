"""Each refusal has a file in bad/, named for its rule, and its exact words in bad/refused.txt."""

from collections import defaultdict
from pathlib import Path

import pytest

from streams.policies import PolicyFaults, load_policy
from tests.policies.given import HERE, written

BAD = HERE / "bad"
SEVERAL = "several-faults"


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
        load_policy(Path(f"{rule}.yaml"), require_approvals=True)
    assert str(refusal.value).splitlines() == EXPECTED[rule]


@pytest.mark.parametrize("rule", [name for name in FILES if name != SEVERAL])
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


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weibo.yaml"
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(path)
    assert str(refusal.value) == (
        f"{path}:1: cannot be read (no such file or directory); name a readable file"
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"platform: weibo\nmode: \xff\n", ":2: this is not UTF-8; save the file as UTF-8"),
        (b"# long\n" * 200_000, ":1: the file is over 1 MiB; a policy is far smaller: name the"),
        (b"[" * 20_000, ":1: this is not YAML 1.2 ("),
        (b"platform: a\x00b\n", ":1: this is not YAML 1.2 ("),
        (b"a: &a [*a]\n", ":1: policy: unknown key 'a'; "),
    ],
    ids=["not-utf-8", "too-long", "too-deep", "control-character", "circle"],
)
def test_a_file_that_is_no_policy_at_all_is_refused(raw: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weibo.yaml"
    path.write_bytes(raw)
    with pytest.raises(PolicyFaults) as refusal:
        load_policy(path)
    assert any(line.startswith(f"{path}{words}") for line in str(refusal.value).splitlines())
