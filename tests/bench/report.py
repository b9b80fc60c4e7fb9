"""`tests/bench/run report results/*.json`: README.md from README.in.md, and the charts."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench.charts import CHARTS, draw_all
from tests.bench.gates import hold
from tests.bench.results import Results, read, together
from tests.bench.rows import Sheet, sheet

HERE = Path(__file__).parent
NOT_YET = "Not measured yet."


def markdown(shown: Sheet) -> str:
    """A sheet as a table of markdown."""
    return _rows(shown.heads, shown.rows)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def gates_table(results: Results) -> str:
    """What issue 5 asks for and what was measured."""
    rows = [
        (
            one.gate.line,
            one.gate.what,
            one.gate.needed,
            one.measured,
            "holds" if one.holds else one.why,
        )
        for one in hold(results)
    ]
    return _rows(("line", "what", "needed", "measured", ""), rows)


def machine_words(results: Results) -> str:
    """What it was measured on."""
    if not results.machine:
        return NOT_YET
    found = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    loads = [run.figures["load_before"] for run in results.runs if "load_before" in run.figures]
    load = f" Load average before the runs: {min(loads)}–{max(loads)}." if loads else ""
    return (
        f"{found['cores']} cores of {found['processor']}, {found['memory_gb']} GB,"
        f" Linux {found['kernel']}, Python {found['python']}; {packages}. Kafka 4.1.1, one broker"
        f" on the same cores.{load}"
    )


def render(template: str, results: Results, drawn: Sequence[str]) -> str:
    """The template with its marks replaced: `<!-- drain -->`, `<!-- chart drain-rate -->`, …"""
    scenarios = {run.scenario for run in results.runs}
    text = template.replace("<!-- gates -->", gates_table(results))
    text = text.replace("<!-- machine -->", machine_words(results))
    for name, title, *_ in CHARTS:
        picture = f"![{title}](charts/{name}.svg)" if name in drawn else ""
        text = text.replace(f"<!-- chart {name} -->", picture)
    for name in SCENARIO_NAMES:
        words = markdown(sheet(results, name)) if name in scenarios else NOT_YET
        text = text.replace(f"<!-- {name} -->", words)
    return text


SCENARIO_NAMES = (
    "drain",
    "worst",
    "accounts",
    "partitions",
    "workers",
    "label-storm",
    "deadline-storm",
    "latency",
    "recovery",
    "memory",
    "skew",
    "capacity",
    "soak",
)


def write(paths: Sequence[Path], folder: Path = HERE) -> None:
    """README.md and charts/ in `folder` from the results in these files (later ones win)."""
    results = together([read(path) for path in paths])
    drawn = [path.stem for path in draw_all(results, folder / "charts")]
    text = (HERE / "README.in.md").read_text()
    (folder / "README.md").write_text(render(text, results, drawn))
