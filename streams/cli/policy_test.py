"""`byline policy test`: runs test cases of policies, which are lives of accounts in YAML.

A life is the sequence of an account's inputs, with the events that must follow.
"""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.lives.mutants import MutantResult, run_mutants
from streams.lives.running import ROWS, SuiteResult, failure_text, junit, rows_taken, run_suite
from streams.lives.suite import read_suite
from streams.operate.errors import UsageError
from streams.policies import Fault, PolicyFaults

SHIPPED_TESTS = "tests"
"""The folder beside the policies that holds their tests."""


def register(app: typer.Typer) -> None:
    """Add the command to the group of policies."""
    app.command(name="test")(run)


def run(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of tests, or directories; default: tests/ beside the policies."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="And which rows of the three machines are taken.")
    ] = False,
    values: Annotated[
        bool,
        typer.Option(
            "--values", help="And which values of the policies count: each one is changed in turn."
        ),
    ] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Write the results here, as JUnit XML.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run lives of accounts through the core and compare the events: exit 1 if one differs.

    It is the core of the workers, with a simulated clock. --values changes the values of a policy
    one by one and runs the lives again: a value is tested if a case fails then.
    """
    began = perf_counter()
    try:
        suites = [read_suite(path) for path in _files(files)]
    except PolicyFaults as refused:
        _refused(refused, as_json)
        raise typer.Exit(1) from None
    results = [run_suite(suite) for suite in suites]
    seconds = perf_counter() - began
    if junit_file is not None:
        try:
            junit_file.write_bytes(junit(results))
        except OSError as error:
            raise UsageError(f"{junit_file} cannot be written: {error.strerror}") from error
    failed = [result for suite in results for result in suite.failed]
    mutants = run_mutants(suites) if values and not failed else None
    if as_json:
        echo_json(_plain(results, seconds, coverage, mutants))
    else:
        for result in failed:
            echo_error(failure_text(result))
        _say(results, seconds, coverage)
        if mutants is not None:
            _say_values(mutants)
        elif values:
            echo("values are not tried while a test fails")
    if failed:
        raise typer.Exit(1)


def _files(paths: Sequence[Path] | None) -> list[Path]:
    chosen = list(paths or [settings().policies / SHIPPED_TESTS])
    found: list[Path] = []
    for path in chosen:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.glob("*.yaml"))
        if not inside:
            raise UsageError(f"{path}: there is no file of tests in it; name one, FILE.yaml")
        found += inside
    return found


def _refused(refused: PolicyFaults, as_json: bool) -> None:
    if as_json:
        faults: list[Fault] = refused.faults
        echo_json({"ok": False, "faults": [str(it) for it in faults], "more": refused.more})
    else:
        echo_error(str(refused))


def _say(results: Sequence[SuiteResult], seconds: float, coverage: bool) -> None:
    for suite in results:
        total, bad = len(suite.results), len(suite.failed)
        words = "all hold" if not bad else f"{bad} do not hold"
        echo(f"{suite.suite.path}: {total} cases, {words}")
    total = sum(len(suite.results) for suite in results)
    echo(f"{total} cases in {seconds:.2f} s")
    if not coverage:
        return
    taken = rows_taken(results)
    rows = [(name, f"{len(it & ROWS)} of {len(ROWS)}") for name, it in taken.items()]
    echo_table(("platform", "rows of the machines"), rows)
    for name, it in taken.items():
        for machine, state, input_ in sorted(ROWS - it):
            echo(f"{name}: no case takes {machine} {state}, {input_}")


def _say_values(mutants: Sequence[MutantResult]) -> None:
    by_platform: dict[str, list[MutantResult]] = {}
    for mutant in mutants:
        by_platform.setdefault(mutant.platform, []).append(mutant)
    rows = []
    for name, found in sorted(by_platform.items()):
        noticed = sum(it.noticed_by is not None for it in found)
        rows.append((name, f"{noticed} of {len(found)}", f"{100 * noticed / len(found):.1f} %"))
    echo_table(("platform", "changes noticed", "share"), rows)
    for mutant in mutants:
        if mutant.noticed_by is None:
            echo(f"{mutant.platform}: no case notices {mutant.change}")


def _plain(
    results: Sequence[SuiteResult],
    seconds: float,
    coverage: bool,
    mutants: Sequence[MutantResult] | None,
) -> dict[str, object]:
    failed = [
        {
            "file": it.case.file,
            "line": it.case.line,
            "name": it.case.name,
            "under": list(it.case.under),
            "difference": it.difference,
        }
        for suite in results
        for it in suite.failed
    ]
    plain: dict[str, object] = {
        "ok": not failed,
        "cases": sum(len(suite.results) for suite in results),
        "seconds": round(seconds, 3),
        "failed": failed,
    }
    if coverage:
        plain["rows"] = {
            name: {
                "taken": len(it & ROWS),
                "of": len(ROWS),
                "missing": [list(row) for row in sorted(ROWS - it)],
            }
            for name, it in rows_taken(results).items()
        }
    if mutants is not None:
        plain["values"] = [
            {"platform": it.platform, "change": it.change, "noticed_by": it.noticed_by}
            for it in mutants
        ]
    return plain
