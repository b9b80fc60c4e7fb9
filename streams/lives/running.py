"""Runs suites of cases: which pass, how others differ, which rows of the machines they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from xml.etree import ElementTree

from streams.core.lifecycle import MACHINES
from streams.lives.leading import Policies, Row, lead
from streams.lives.suite import Case, Suite
from streams.policies.faults import printable
from streams.stop_worker import StopWorker

ROWS: frozenset[Row] = frozenset(
    (machine, state.name, str(input_))
    for machine, table in MACHINES.items()
    for state, rows in table.items()
    for input_ in rows
)
"""Every row of the three state machines."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case.

    `difference`: lines in which the events differ from what is expected; empty if it passes.
    `rows`: the rows of the state machines that it took.
    """

    case: Case
    difference: list[str]
    rows: frozenset[Row]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the case passes."""
        return not self.difference


@dataclass(slots=True)
class SuiteResult:
    """The results of a file of tests."""

    suite: Suite
    results: list[CaseResult] = field(default_factory=list)

    @property
    def failed(self) -> list[CaseResult]:
        """The results of the failed cases."""
        return [result for result in self.results if not result.holds]

    @property
    def seconds(self) -> float:
        """How many seconds the cases took."""
        return sum(result.seconds for result in self.results)


def run_case(case: Case, policies: Policies | None = None) -> CaseResult:
    """Runs one case and compares its events. `policies` as in `lead`."""
    began = perf_counter()
    try:
        outcome = lead(case, policies)
        difference = case.expectation.difference(outcome.events, case.moments)
        difference += _refusals(case.refused, outcome.refused)
        rows = outcome.rows
    except StopWorker as stop:
        difference, rows = [f"- the worker would stop: {stop.message}"], set()
    return CaseResult(case, difference, frozenset(rows), perf_counter() - began)


def _refusals(stated: int, found: Mapping[str, int]) -> list[str]:
    """Returns the line that says how many inputs were refused, if they are not as many as stated.

    A test whose inputs are refused would hold whatever its policy does.
    """
    count = sum(found.values())
    if count == stated:
        return []
    reasons = ", ".join(f"{n} {what}" for what, n in sorted(found.items())) or "none"
    fix = "mend the steps, or state refused:"
    return [f"- {stated} of the inputs refused, not {count} ({reasons}); {fix}"]


def run_suite(suite: Suite) -> SuiteResult:
    """Runs every case of a file."""
    return SuiteResult(suite, [run_case(case) for case in suite.cases])


def rows_taken(suites: Sequence[SuiteResult]) -> dict[str, frozenset[Row]]:
    """Returns, by platform, the rows of the state machines that its cases take."""
    taken: dict[str, set[Row]] = {}
    for suite in suites:
        for result in suite.results:
            taken.setdefault(result.case.policy.platform, set()).update(result.rows)
    return {platform: frozenset(rows) for platform, rows in sorted(taken.items())}


def failure_text(result: CaseResult) -> str:
    """Describes a failed case: its place, the events that are expected (-) and that came (+)."""
    case = result.case
    under = f" under {', '.join(case.under)}" if case.under else ""
    head = f"{case.file}:{case.line}: {case.name}{under}"
    return "\n".join(printable(line) for line in [head, *(f"    {it}" for it in result.difference)])


def junit(suites: Sequence[SuiteResult]) -> bytes:
    """Returns the results as JUnit XML, which CI systems read."""
    root = ElementTree.Element("testsuites")
    for suite in suites:
        element = ElementTree.SubElement(
            root,
            "testsuite",
            name=str(suite.suite.path),
            tests=str(len(suite.results)),
            failures=str(len(suite.failed)),
            errors="0",
            time=f"{suite.seconds:.6f}",
        )
        for result in suite.results:
            case = ElementTree.SubElement(
                element,
                "testcase",
                classname=result.case.policy.platform,
                name=printable(result.case.name),
                file=result.case.file,
                line=str(result.case.line),
                time=f"{result.seconds:.6f}",
            )
            if not result.holds:
                text = failure_text(result)
                failure = ElementTree.SubElement(case, "failure", message=text.splitlines()[0])
                failure.text = text
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
