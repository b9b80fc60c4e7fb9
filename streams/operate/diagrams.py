"""`python -m streams.operate.diagrams`: draws the three machines of an account as Mermaid.

Each diagram stands between two marks, so that a test can find it in a document and compare it:

    <!-- diagram: invitation -->  …  <!-- end of diagram -->
"""

import re
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum

from streams.core.lifecycle import MACHINES, OPEN, Input, Invitation, LifecycleRow, Table

END = "<!-- end of diagram -->"
_HELD = re.compile(r"<!-- diagram: (\w+) -->\n(.*?)" + END, re.DOTALL)
_OPEN_STATES = "Open"


def mark(machine: str) -> str:
    """Returns the mark that a diagram begins with."""
    return f"<!-- diagram: {machine} -->"


def diagram(machine: str) -> str:
    """Draws one machine as a fenced Mermaid block. Raises KeyError for an unknown machine."""
    table = MACHINES[machine]
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table)).name}"]
    shared = _shared(table)
    if shared:
        lines.append(f"    state {_OPEN_STATES} {{")
        inside = [edge for edge in _edges(table, shared) if edge[0] in OPEN and edge[1] in OPEN]
        lines += [f"        {_line(*edge)}" for edge in inside]
        lines.append("    }")
    for edge in _edges(table, shared):
        if not shared or edge[0] not in OPEN or edge[1] not in OPEN:
            lines.append(f"    {_line(*edge)}")
    for target, labels in _grouped(shared.items()):
        lines.append(f"    {_OPEN_STATES} --> {target.name}: {labels}")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def document() -> str:
    """Returns all diagrams, each between its marks."""
    return "\n".join(f"{mark(machine)}\n{diagram(machine)}{END}\n" for machine in MACHINES)


def held_by(text: str) -> dict[str, str]:
    """Returns the diagrams that a document has between marks, by machine."""
    return {found[1]: found[2] for found in _HELD.finditer(text)}


def _shared(table: Table) -> dict[Input, LifecycleRow]:
    """Returns the rows that all open states have in common. Each is drawn as one arrow."""
    states = [state for state in table if isinstance(state, Invitation) and state in OPEN]
    if not states:
        return {}
    first = table[states[0]]
    return {
        input_: row
        for input_, row in first.items()
        if all(table[state].get(input_) == row for state in states)
    }


def _edges(
    table: Table, shared: dict[Input, LifecycleRow]
) -> Iterator[tuple[IntEnum, IntEnum, str]]:
    for state, rows in table.items():
        own = [(input_, row) for input_, row in rows.items() if shared.get(input_) != row]
        if shared and state not in OPEN:
            own = list(rows.items())
        for target, labels in _grouped(own):
            yield state, target, labels


def _grouped(rows: Iterable[tuple[Input, LifecycleRow]]) -> Iterator[tuple[IntEnum, str]]:
    """Yields each next state with the labels of all rows that lead there: they share one arrow."""
    by_target: dict[IntEnum, list[str]] = {}
    for input_, row in rows:
        by_target.setdefault(row.next_state, []).append(_label(input_, row))
    for target, labels in by_target.items():
        yield target, "<br/>".join(labels)


def _label(input_: Input, row: LifecycleRow) -> str:
    """Returns an arrow's label: the input, and the events and cool-down that follow from it."""
    said = [event.split(".")[1] for event in row.emits]
    if row.lifts:
        said.insert(0 if row.lifts_first else len(said), "lifted for each surface")
    if row.cool_down:
        said.append("cool-down")
    text = input_.replace(":", ",")
    return f"{text} / {', '.join(said)}" if said else text


def _line(state: IntEnum, target: IntEnum, labels: str) -> str:
    return f"{state.name} --> {target.name}: {labels}"


if __name__ == "__main__":
    sys.stdout.write(document())
