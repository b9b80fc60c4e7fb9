"""The results for the terminal."""

from rich.console import Console
from rich.table import Table

from tests.bench.gates import GateOutcome
from tests.bench.results import Results
from tests.bench.rows import sheets


def show(results: Results, console: Console) -> None:
    """A table a scenario: medians (least–most), × how many times Byline's."""
    for sheet in sheets(results):
        table = Table(title=sheet.scenario, title_justify="left", header_style="bold")
        for head in sheet.heads:
            table.add_column(
                head, justify="left" if head in ("case", "who", "verdict") else "right"
            )
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for run in results.runs:
        if "failed" in run.figures:
            console.print(f"{run.scenario}, {run.case}, {run.peer}, round {run.round}:")
            console.print(run.figures["failed"], markup=False, highlight=False)


def show_gates(outcomes: list[GateOutcome], console: Console) -> None:
    """Every line of "Must show" with what was measured."""
    table = Table(title="must show", title_justify="left", header_style="bold")
    for head in ("line", "what", "needed", "measured", "runs", ""):
        table.add_column(head)
    for one in outcomes:
        table.add_row(
            one.gate.line,
            one.gate.what,
            one.gate.needed,
            one.measured,
            str(one.runs),
            "holds" if one.holds else f"FAILS: {one.why}",
        )
    console.print(table)
