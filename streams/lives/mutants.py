"""Mutation testing of policies: changes one value at a time, and finds those no case notices.

It changes each value that the file writes, and each that it leaves null. The change is made after
the blocks of a test were merged into the file, so it also changes values that come from a block. A
change is noticed if some case fails, or the worker would stop.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from streams.core.model.policy import Policy
from streams.lives.changes import Mutant, mutants
from streams.lives.overlay import Blocks, TestedFile
from streams.lives.running import run_case
from streams.lives.suite import Case, Suite
from streams.policies.faults import PolicyFaults


class MutantResult(NamedTuple):
    """One change, and whether a case notices it. `noticed_by`: the first that fails; None: none."""

    platform: str
    change: str
    noticed_by: str | None


def run_mutants(suites: Sequence[Suite], only: str = "") -> list[MutantResult]:
    """Tries every change of each policy file on all its cases, which must all pass without it.

    `only`: try only changes whose description begins so.
    """
    cases: dict[str, list[Case]] = {}
    for suite in suites:
        for case in suite.cases:
            cases.setdefault(str(case.policy.path.resolve()), []).append(case)
    results = []
    for theirs in cases.values():
        results += _of_file(theirs, only)
    # Two files may be of one platform, so that a change has two results.
    return sorted(results, key=lambda it: (it.platform, it.change))


def _of_file(cases: Sequence[Case], only: str) -> list[MutantResult]:
    used = {(id(case.policy), it): (case.policy, it) for case in cases for it in _blocks(case)}
    results = []
    killers: list[Case] = []
    for mutant in mutants(cases[0].policy.root):
        if not mutant.words.startswith(only):
            continue
        changed = _Changed(mutant)
        if not any(changed.differs(file, blocks) for file, blocks in used.values()):
            continue
        noticed = _first_to_fail([*killers[-20:], *cases], changed)
        if noticed is not None:
            killers.append(noticed)
        name = None if noticed is None else noticed.name
        results.append(MutantResult(cases[0].policy.platform, mutant.words, name))
    return results


def _blocks(case: Case) -> Iterator[Blocks]:
    yield case.under
    for _, step in case.steps:
        if "policy" in step:
            yield step["policy"]


def _first_to_fail(cases: Iterable[Case], changed: "_Changed") -> Case | None:
    for case in cases:
        # A case passes as before if the change does not affect any of its policies.
        if not any(changed.differs(case.policy, blocks) for blocks in _blocks(case)):
            continue
        if not run_case(case, partial(changed.under, case.policy)).holds:
            return case
    return None


class _Changed:
    """Makes policies with one change. If the result is refused, the policy stays as it was."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._made: dict[tuple[int, Blocks], Policy | None] = {}

    def differs(self, file: TestedFile, blocks: Blocks) -> bool:
        place = (id(file), blocks)
        if place not in self._made:
            try:
                policy = file.changed(blocks, self._mutant.change)
            except PolicyFaults:
                policy = None
            same = policy is None or policy.canonical == file.under(blocks).canonical
            self._made[place] = None if same else policy
        return self._made[place] is not None

    def under(self, file: TestedFile, blocks: Blocks) -> Policy:
        self.differs(file, blocks)
        return self._made[(id(file), blocks)] or file.under(blocks)
