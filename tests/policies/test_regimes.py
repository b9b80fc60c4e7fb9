"""Rules of other countries by data alone; what the language cannot say is refused."""

from pathlib import Path

import pytest

from streams.lives.running import failure_text, run_suite
from streams.lives.suite import read_suite
from streams.policies import PolicyFaults, load_policy

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
