"""The README's picture of the three machines is the one that the tables draw."""

from pathlib import Path

from streams.core.lifecycle import MACHINES
from streams.operate.diagrams import diagram, held_by

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_holds_the_diagrams_of_the_tables() -> None:
    held = held_by(README.read_text(encoding="utf-8"))
    for machine, drawn in held.items():
        assert drawn == diagram(machine), "python -m streams.operate.diagrams prints it anew"
    assert not held or set(held) == set(MACHINES)
