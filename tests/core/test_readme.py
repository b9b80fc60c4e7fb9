"""The pictures of the three machines in the documents are those that the tables draw."""

from pathlib import Path

from streams.core.lifecycle import MACHINES
from streams.operate.diagrams import diagram, held_by

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
