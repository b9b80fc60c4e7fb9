"""Reads a file of policy tests; makes one case for each policy, test and row of `each`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, Node

from schemas.policy_tests import ExpectedEvent, Life, PolicyTests, Step
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
    refused: int
    """How many inputs are to be refused."""
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
                for row in [{}] if life.each is None else life.each:
                    given = {**values[name], **row}
                    case = self._case(life, line, suite.files[name], given, several)
                    if case is not None:
                        suite.cases.append(case)
        return suite

    def _files(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        document = self._document
        if document.policies is not None and document.policy is not None:
            fix = "leave one of them out"
            raise PolicyFaults([*_one(self._path, "policy: and policies: are both there", fix)])
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
            account = str(_filled(life.account or "account", given))
            earliest = times[max(len(begun) - 1, 0)]
            _check_possible(expectation, moments, (earliest, until), _accounts(account, steps))
            stated = _filled(life.refused, given)
            refused = _refused(steps) if stated is None else _whole_number("refused", stated)
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
            account=account,
            partitions=life.partitions or 1,
            start=moments.start,
            steps=timed,
            given_count=len(begun),
            refused=refused,
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
        def forms(expected: list[ExpectedEvent] | None) -> list[Form] | None:
            if expected is None:
                return None
            return [read_form(_filled(one.root, given), moments) for one in expected]

        if life.events is None and not (life.include or life.never or life.counts):
            raise InvalidValue("the test expects nothing", "write events: [] if nothing follows")
        return Expectation(
            forms(life.events),
            forms(life.include) or [],
            forms(life.never) or [],
            {str(name): count for name, count in (life.counts or {}).items()},
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


_NEEDS = {
    "cause": ("followers",),
    "observed_at": ("followers", "label"),
    "valid_until": ("label",),
    "failure": ("receipt",),
    "notice_version": ("answer",),
    "names_invitation": ("answer",),
    "on": ("switch",),
    "reason": ("control",),
    "until": ("control",),
    "expires_at": ("control",),
    "said_at": ("receipt", "answer", "change", "control", "switch"),
}
"""A key of a step, and the keys of which one has to be there for it to say anything."""


def _checked(step: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("followers", "accounts"):
        _whole_number(name, step.get(name, 0))
    for name, needed in _NEEDS.items():
        if name in step and not any(it in step for it in needed):
            words = " or ".join(needed)
            raise InvalidValue(f"{name} says nothing in a step without {words}", f"write {words}")
    return step


def _whole_number(name: str, number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise InvalidValue(f"{name}: {number!r} is not a whole number", "write digits")
    return number


def _refused(steps: Sequence[Mapping[str, Any]]) -> int:
    """Returns how many inputs of these steps are refused for their form."""
    return sum(step.get("accounts", 1) for step in steps if "refused" in step)


def _accounts(default: str, steps: Sequence[Mapping[str, Any]]) -> Callable[[Any], bool]:
    """Returns whether a name is that of an account in these steps."""
    single = {default, *(str(step["account"]) for step in steps if "account" in step)}
    many: dict[str, int] = {}
    for step in steps:
        if "accounts" in step:
            name = str(step.get("account", default))
            many[name] = max(many.get(name, 0), step["accounts"])

    def known(name: Any) -> bool:
        base, _, number = str(name).rpartition("-")
        counted = number.isdecimal() and 1 <= int(number) <= many.get(base, 0)
        return name in single or counted

    return known


def _check_possible(
    expectation: Expectation,
    moments: Moments,
    span: tuple[int, int],
    known: Callable[[Any], bool],
) -> None:
    """Raises InvalidValue for a form that no event of the test can fit, as no account has it.

    `span`: the first and last instant (ms) of the events that are compared. `known`: whether the
    test has an account.
    """
    for form in (*(expectation.events or ()), *expectation.include, *expectation.never):
        fields = dict(form.fields)
        if "account_id" in fields and not known(fields["account_id"]):
            raise InvalidValue(
                f"no step is of the account {fields['account_id']!r}", "name one of the test"
            )
    for form in expectation.never:
        at = dict(form.fields).get("decided_at")
        if at is not None and not span[0] <= at <= span[1]:
            first, last = map(moments.shown, span)
            raise InvalidValue(
                f"never: {form.text(moments)} is not within the test ({first} to {last})",
                "move it, or until:",
            )
