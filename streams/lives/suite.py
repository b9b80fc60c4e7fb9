"""Reads a file of policy tests; makes one case for each policy, test and row of `each`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, Node

from schemas.policy_tests import Life, PolicyTests, Step
from streams.lives.expectation import Expectation, Form, read_form
from streams.lives.moments import Moments
from streams.lives.nodes import child, line_at, plain
from streams.lives.overlay import Blocks, TestedFile
from streams.policies.document import read_document
from streams.policies.faults import Findings, InvalidValue, PolicyFaults

KEYS = frozenset({"policy", "policies", "start", "with", "given", "tests"})
MOST_CASES = 100_000
_PLACEHOLDER = re.compile(r"\$([a-z_][a-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Case:
    """One life to run, with its policy and what is expected. Times are in ms since 1970."""

    name: str
    file: str
    line: int
    policy: TestedFile
    under: Blocks
    account: str
    partitions: int
    start: int
    steps: list[tuple[int, Mapping[str, Any]]]
    given_count: int
    """How many of the steps only set the scene: events up to there are not compared."""
    until: int
    expectation: Expectation
    moments: Moments


@dataclass(slots=True)
class Suite:
    """The cases of a file, in its order."""

    path: Path
    cases: list[Case] = field(default_factory=list)
    files: dict[str, TestedFile] = field(default_factory=dict)


def read_suite(path: Path) -> Suite:
    """Reads a file of policy tests and the policies that it names.

    Raises:
        PolicyFaults: all that is wrong with the file, or with a policy.
    """
    findings = Findings(str(path))
    root = read_document(path, findings, KEYS, kind="policy test")
    if root is None or findings.faults:
        raise PolicyFaults(findings.faults)
    try:
        document = PolicyTests.model_validate(plain(root))
    except ValidationError as error:
        for wrong in error.errors()[:100]:
            place = [part for part in wrong["loc"] if child_of(root, part)] or wrong["loc"]
            where = ".".join(str(part) for part in wrong["loc"])
            line = line_at(root, wrong["loc"])
            findings.add(line, f"{where}: {wrong['msg'].lower()}", f"mend {place[-1]}")
        raise PolicyFaults(findings.faults) from None
    reader = _Reader(path, root, document, findings)
    suite = reader.read()
    if findings.faults:
        raise PolicyFaults(findings.faults)
    return suite


def child_of(root: Node, part: str | int) -> bool:
    """Returns whether a part of pydantic's location is a key of the file, not a model's name."""
    return isinstance(part, str) and child(root, part) is not None


class _Reader:
    def __init__(self, path: Path, root: Node, document: PolicyTests, findings: Findings) -> None:
        self._path, self._root, self._document = path, root, document
        self._findings = findings
        blocks = child(root, "with")
        self._blocks: dict[str, Node] = (
            {key.value: value for key, value in blocks.value}
            if isinstance(blocks, MappingNode)
            else {}
        )

    def read(self) -> Suite:
        suite = Suite(self._path)
        values: dict[str, Mapping[str, Any]] = {}
        for name, (file, own) in self._files().items():
            suite.files[name] = TestedFile(self._path.parent / file, self._blocks, str(self._path))
            values[name] = own
        several = self._document.policies is not None
        for number, life in enumerate(self._document.tests):
            line = line_at(self._root, ("tests", number))
            for name in life.policies or suite.files:
                if name not in suite.files:
                    self._findings.add(line, f"no policy is called {name!r}", "name one of them")
                    continue
                for row in life.each or [{}]:
                    given = {**values[name], **row}
                    case = self._case(life, line, suite.files[name], given, several)
                    if case is not None:
                        suite.cases.append(case)
        return suite

    def _files(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        document = self._document
        if document.policies is not None:
            return {name: (one.file, one.values) for name, one in document.policies.items()}
        if document.policy is None:
            fix = "write policy: FILE, or policies: {name: {file: FILE}}"
            raise PolicyFaults([*_one(self._path, "no policy is named", fix)])
        return {"": (document.policy, {})}

    def _case(
        self, life: Life, line: int, file: TestedFile, given: Mapping[str, Any], several: bool
    ) -> Case | None:
        try:
            moments = Moments.of(life.start or self._document.start)
            under = self._under(life.under)
            file.under(under)
            begun = self._given(_filled(life.given, given))
            steps = [_filled(step, given) for step in [*begun, *map(_plain, life.steps)]]
            if not steps:
                raise InvalidValue("nothing happens in the test", "write steps: or given:")
            timed = []
            for step in steps:
                if "policy" in step:
                    step["policy"] = self._under(step["policy"])
                    file.under(step["policy"])
                timed.append((moments.at(step["at"]), _checked(step)))
            times = [at for at, _ in timed]
            until = times[-1] if life.until is None else moments.at(_filled(life.until, given))
            if times != sorted(times) or until < times[-1]:
                raise InvalidValue("the steps are not in the order of time", "sort them by at")
            expectation = self._expectation(life, given, moments)
        except InvalidValue as wrong:
            self._findings.add(line, wrong.message, wrong.fix)
            return None
        name = str(_filled(life.name, given))
        shown = [file.platform] if several else []
        return Case(
            name=" ".join([*shown, name]),
            file=str(self._path),
            line=line,
            policy=file,
            under=under,
            account=str(_filled(life.account or "account", given)),
            partitions=life.partitions or 1,
            start=moments.start,
            steps=timed,
            given_count=len(begun),
            until=until,
            expectation=expectation,
            moments=moments,
        )

    def _under(self, names: str | list[str] | None) -> Blocks:
        blocks = (names,) if isinstance(names, str) else tuple(names or ())
        for name in blocks:
            if name not in self._blocks:
                known = ", ".join(self._blocks) or "none"
                raise InvalidValue(f"no block of with: is called {name!r}", f"there are {known}")
        return blocks

    def _given(self, name: object) -> list[dict[str, Any]]:
        if name is None:
            return []
        known = self._document.given or {}
        if name not in known:
            raise InvalidValue(
                f"nothing is given under the name {name!r}", f"there are {', '.join(known)}"
            )
        return list(map(_plain, known[str(name)]))

    def _expectation(self, life: Life, given: Mapping[str, Any], moments: Moments) -> Expectation:
        def forms(expected: list[Any] | None) -> list[Form] | None:
            if expected is None:
                return None
            return [read_form(_filled(one, given), moments) for one in expected]

        if life.events is None and not (life.include or life.never or life.counts):
            raise InvalidValue("the test expects nothing", "write events: [] if nothing follows")
        return Expectation(
            forms(life.events),
            forms(life.include) or [],
            forms(life.never) or [],
            dict(life.counts or {}),
        )


def _one(path: Path, message: str, fix: str) -> Iterator[Any]:
    findings = Findings(str(path))
    findings.add(1, message, fix)
    yield from findings.faults


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    """Returns a value with each `$name` replaced. A text `$name` alone becomes the value itself."""
    if isinstance(value, dict):
        return {key: _filled(one, given) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, given) for one in value]
    if not isinstance(value, str) or "$" not in value:
        return value

    def known(match: re.Match[str]) -> Any:
        if match[1] not in given:
            raise InvalidValue(f"nothing is called ${match[1]}", "add it to each: or values:")
        return given[match[1]]

    whole = _PLACEHOLDER.fullmatch(value)
    if whole is not None:
        return known(whole)
    return _PLACEHOLDER.sub(lambda match: str(known(match)), value)


def _plain(step: Step) -> dict[str, Any]:
    return step.model_dump(exclude_unset=True, mode="json")


def _checked(step: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("followers", "accounts"):
        number = step.get(name, 0)
        if not isinstance(number, int) or isinstance(number, bool):
            raise InvalidValue(f"{name}: {number!r} is not a whole number", "write digits")
    return step
