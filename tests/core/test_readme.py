"""The documents hold what the code has: the machines, an event, the keys of a policy."""

import json
import re
from pathlib import Path
from typing import Any

from streams.core.lifecycle import MACHINES
from streams.operate.diagrams import diagram, held_by
from streams.policies.reading import KEYS

ROOT = Path(__file__).parents[2]
LIFECYCLE = ROOT / "streams" / "core" / "LIFECYCLE.md"


def test_the_lifecycle_document_holds_the_diagrams_of_the_tables() -> None:
    held = held_by(LIFECYCLE.read_text(encoding="utf-8"))
    assert set(held) == set(MACHINES)
    for machine, drawn in held.items():
        assert drawn == diagram(machine), "python -m streams.operate.diagrams prints it anew"


def test_a_diagram_of_the_readme_is_one_of_the_tables() -> None:
    for machine, drawn in held_by((ROOT / "README.md").read_text(encoding="utf-8")).items():
        assert drawn == diagram(machine), "python -m streams.operate.diagrams prints it anew"


def test_the_restriction_that_the_readme_shows_is_the_example_of_the_wire() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    example = ROOT / "schemas/generated/examples/events/throttle.applied.v1/no_answer.json"
    assert _is_part(json.loads(shown), json.loads(example.read_text(encoding="utf-8")))


def test_the_readme_says_what_each_key_of_a_policy_means() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## Policies\n")[1].split("\n## ")[0]
    told = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"^\| (.*)$", section, re.MULTILINE))))
    assert told >= KEYS
    for shipped in (ROOT / "deploy" / "policies").glob("*.yaml"):
        keys = set(
            re.findall(r"^(?:  )?([a-z_]+):(?= |$)", shipped.read_text("utf-8"), re.MULTILINE)
        )
        assert keys <= told, shipped.name


def test_the_lines_of_the_readme_have_100_columns() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    # The row of a table cannot be folded.
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def _is_part(part: Any, whole: Any) -> bool:
    """Whether a JSON value is another one, but for keys that are left out."""
    if isinstance(part, dict):
        return all(key in whole and _is_part(it, whole[key]) for key, it in part.items())
    return bool(part == whole)
