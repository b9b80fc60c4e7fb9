"""The sound policy file that tests change in one place."""

from pathlib import Path

from streams.core.model.policy import Policy
from streams.policies import load_policy

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "deploy" / "policies"
GOOD = (HERE / "good.yaml").read_text(encoding="utf-8")


def written(folder: Path, *changes: tuple[str, str], name: str = "weibo") -> Path:
    """The sound file with each text replaced by another, as a file of its own."""
    text = GOOD
    for before, after in changes:
        assert before in text, f"the sound file has no {before!r}"
        text = text.replace(before, after, 1)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, *changes: tuple[str, str]) -> Policy:
    """The policy of the sound file with each text replaced by another."""
    return load_policy(written(folder, *changes))
