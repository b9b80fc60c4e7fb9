"""Rules of other countries by data alone; what the language cannot say is refused."""

from pathlib import Path
from shutil import copy

import pytest

from schemas.enums import Mode
from streams.lives.running import failure_text, run_suite
from streams.lives.suite import read_suite
from streams.policies import PolicyFaults, load_policies, load_policy
from tests.policies.given import SHIPPED

REGIMES = Path(__file__).with_name("regimes")


def test_the_lives_under_other_regimes_hold() -> None:
    result = run_suite(read_suite(REGIMES / "lives.yaml"))
    assert [failure_text(it) for it in result.failed] == []
    assert len(result.results) == 11


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("spain", "P62D", "P2M", "has no fixed length; write years and months in days"),
        ("spain", "followers: 1000000,", "followers: 1000000, income: 300000,", "unknown key"),
        ("spain", "followers: 1000000,", "followers: 1000000, videos: 24,", "unknown key"),
        ("agcom", "followers: 500000", "followers: 500000\n    views: 9", "unknown key"),
        ("agcom", "mode: shadow", "mode: enforce", "enforce needs it, and it is null"),
    ],
)
def test_what_the_language_cannot_say_is_refused(
    file: str, before: str, after: str, words: str, tmp_path: Path
) -> None:
    text = (REGIMES / f"{file}.yaml").read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / f"{file}.yaml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(PolicyFaults) as caught:
        load_policy(path)
    assert words in str(caught.value)


def completed(folder: Path) -> Path:
    """The file of Toutiao with a line and fields that nobody announced."""
    text = (REGIMES / "toutiao.yaml").read_text(encoding="utf-8")
    for before, after in (
        ("followers: null", "followers: 700000"),
        ("covered: null", "covered: any"),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / "toutiao.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_toutiao_did_not_announce_is_null_and_refused_where_there_is_no_null() -> None:
    with pytest.raises(PolicyFaults) as caught:
        load_policy(REGIMES / "toutiao.yaml")
    told = [str(it).partition("toutiao.yaml:")[2] for it in caught.value.faults]
    assert [it.partition(";")[0] for it in told] == [
        "17: phases[0].followers: null is not a whole number",
        "19: fields.covered: null is not a list of fields",
    ]


def test_toutiao_with_a_line_is_a_file_alone_and_touches_nobody(tmp_path: Path) -> None:
    for path in SHIPPED.glob("*.yaml"):
        copy(path, tmp_path)
    completed(tmp_path)
    policy = load_policies(tmp_path, require_approvals=True)["toutiao"]
    missing = {"notice.answer_window", "consequence.surfaces", "impact_assessment"}
    assert (policy.mode, set(policy.missing_for_enforce)) == (Mode.SHADOW, missing)
    copy(REGIMES / "lives-toutiao.yaml", tmp_path / "lives.yaml")
    result = run_suite(read_suite(tmp_path / "lives.yaml"))
    assert [failure_text(it) for it in result.failed] == []
    assert len(result.results) == 3
