"""Changes one value of a policy after the other, and says which change no case notices.

What is changed is each value that the file writes, and each that it leaves null. A change is made
in the document that blocks and file make together, so that it also reaches the value that a block
states in its place. It is noticed when one case fails, or when the worker would stop.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.enums import Field, Surface
from streams.core.model.policy import Policy
from streams.lives.nodes import child, plain
from streams.lives.overlay import Blocks, Change, TestedFile
from streams.lives.running import run_case
from streams.lives.suite import Case, Suite
from streams.policies.faults import PolicyFaults
from streams.policies.scalars import (
    DAY,
    HOUR,
    SECOND,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
)

Path = tuple[str | int, ...]
_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"


class Mutant(NamedTuple):
    """One change of a policy, in words and as a change of its document."""

    words: str
    change: Change


class MutantResult(NamedTuple):
    """Whether a change was noticed. `noticed_by`: the first case that fails; None: no case does."""

    platform: str
    change: str
    noticed_by: str | None


def run_mutants(suites: Sequence[Suite], only: str = "") -> list[MutantResult]:
    """Tries every change on all cases of each policy file. All cases must hold unchanged.

    `only`: changes whose words begin so.
    """
    cases: dict[str, list[Case]] = {}
    for suite in suites:
        for case in suite.cases:
            cases.setdefault(str(case.policy.path.resolve()), []).append(case)
    results = []
    for theirs in cases.values():
        results += _of_file(theirs, only)
    return sorted(results)


def _of_file(cases: Sequence[Case], only: str) -> list[MutantResult]:
    used = {blocks: case.policy for case in cases for blocks in _blocks(case)}
    results = []
    killers: list[Case] = []
    for mutant in mutants(cases[0].policy.root):
        if not mutant.words.startswith(only):
            continue
        changed = _Changed(mutant)
        if not any(changed.differs(file, blocks) for blocks, file in used.items()):
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
        # A case whose policies the change does not touch goes on holding.
        if not any(changed.differs(case.policy, blocks) for blocks in _blocks(case)):
            continue
        if not run_case(case, partial(changed.under, case.policy)).holds:
            return case
    return None


class _Changed:
    """The policies of files with one change; where it is refused or says nothing, as they were."""

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


def mutants(root: Node) -> Iterator[Mutant]:
    """Every change of lines, times, ratios, durations, labels, surfaces, caps and the rest."""
    yield from _whole_numbers(root)
    for path in _durations(root):
        for step in (-DAY, -SECOND, SECOND, DAY):
            yield _shifted(path, step)
    yield from _phases(root)
    ratio: Path = ("stability", "exit_ratio")
    for by_ratio in (-0.01, 0.01):
        yield Mutant(f"{_named(ratio)} {by_ratio:+}", partial(_ratio, ratio, 1.0, by_ratio))
    for path in _guard_ratios(root):
        for factor in (0.5, 2.0):
            yield Mutant(f"{_named(path)} × {factor}", partial(_ratio, path, factor, 0.0))
    yield from _words(root)
    yield from _fields(root)
    yield from _surfaces(root)


def _whole_numbers(root: Node) -> Iterator[Mutant]:
    phases = child(root, "phases")
    for place, phase in enumerate(phases.value if isinstance(phases, SequenceNode) else ()):
        # A line that is not in force decides the floor alone, which is rounded.
        by = 1 if _in_force(phase) else 100
        for step in (-by, by):
            path: Path = ("phases", place, "followers")
            yield Mutant(f"{_named(path)} {step:+}", partial(_number, path, 1, step))
    for key in ("invitations_per_day", "throttles_per_hour"):
        for factor, step in ((2, 0), (0, 0)):
            path = ("caps", key)
            yield Mutant(f"{_named(path)} × {factor}", partial(_number, path, factor, step))
    for path, step in (
        (("rollout_percent",), -100),
        (("guards", "minimum"), 10),
        (("guards", "minimum"), -10),
    ):
        yield Mutant(f"{_named(path)} {step:+}", partial(_number, path, 1, step))


def _durations(root: Node) -> Iterator[Path]:
    yield ("notice", "answer_window")
    reminders = child(child(root, "notice"), "reminders")
    if isinstance(reminders, SequenceNode):
        for place in range(len(reminders.value)):
            yield ("notice", "reminders", place)
    for key in ("dwell", "leave_after", "cool_down", "max_age"):
        yield ("stability", key)
    yield ("consequence", "review_after")
    yield ("consequence", "expires_after")
    yield ("guards", "window")


def _guard_ratios(root: Node) -> Iterator[Path]:
    guards = child(root, "guards")
    if isinstance(guards, MappingNode):
        for key, _ in guards.value:
            if key.value.endswith("_ratio"):
                yield ("guards", key.value)


def _phases(root: Node) -> Iterator[Mutant]:
    phases = child(root, "phases")
    for place, phase in enumerate(phases.value if isinstance(phases, SequenceNode) else ()):
        if not _in_force(phase):
            continue
        for key in ("from", "answer_by"):
            path: Path = ("phases", place, key)
            for step in (-SECOND, SECOND):
                yield Mutant(f"{_named(path)} {step // SECOND:+} s", partial(_instant, path, step))
            yield Mutant(f"{_named(path)} null", partial(_put, path, None))


def _in_force(phase: Node) -> bool:
    return plain(child(phase, "from") or phase) is not None


def _words(root: Node) -> Iterator[Mutant]:
    for value in ("off", "shadow", "enforce"):
        yield Mutant(f"mode {value}", partial(_put, ("mode",), value))
    for value in ("close", "keep"):
        yield Mutant(f"on_fall_below {value}", partial(_put, ("on_fall_below",), value))
    yield Mutant("notice.answer_window null", partial(_put, ("notice", "answer_window"), None))
    yield Mutant("notice.id other", partial(_put, ("notice", "id"), "other"))
    yield Mutant("notice.version other", partial(_put, ("notice", "version"), "other"))
    on = plain(child(child(root, "consequence"), "on") or root)
    for word in ("declined", "no_answer"):
        now = [it for it in on if it in ("declined", "no_answer")] if isinstance(on, list) else []
        new = [it for it in now if it != word] if word in now else [*now, word]
        yield Mutant(f"consequence.on {new}", partial(_put, ("consequence", "on"), new))


def _fields(root: Node) -> Iterator[Mutant]:
    fields = child(root, "fields")
    covered = plain(child(fields, "covered") or root)
    path: Path = ("fields", "covered")
    now = [str(it) for it in Field] if covered == "any" else covered
    labels = plain(child(fields, "labels") or root)
    # A field that no label means changes nothing.
    for name in sorted(set(labels.values())) if isinstance(labels, dict) else ():
        new = [it for it in now if it != name] if name in now else [*now, name]
        verb = "without" if name in now else "with"
        yield Mutant(f"fields.covered {verb} {name}", partial(_put, path, new))
    for label, name in labels.items() if isinstance(labels, dict) else ():
        here = ("fields", "labels", label)
        other = next(it for it in now if it != name)
        yield Mutant(f"fields.labels.{label} {other}", partial(_put, here, other))
        if name in now:
            yield Mutant(f"fields.labels.{label} removed", partial(_remove, here))
    exempt = child(fields, "exempt_labels")
    for label in plain(exempt) if isinstance(exempt, SequenceNode) else ():
        yield Mutant(f"fields.exempt_labels {label} covered", partial(_cover, label, now[0]))


def _surfaces(root: Node) -> Iterator[Mutant]:
    for surface in Surface:
        path: Path = ("consequence", "surfaces", str(surface))
        yield Mutant(f"{_named(path)} removed", partial(_remove, path))
        yield Mutant(f"{_named(path)} added", partial(_added, path))
        yield Mutant(f"{_named(path)} other level", partial(_other_level, path))


def _named(path: Path) -> str:
    return ".".join(str(part) for part in path)


# ---- changes of a document: a new one, or None where there is nothing to change ----------------


def _at(root: Node, path: Path) -> ScalarNode | None:
    node: Node | None = root
    for part in path:
        node = child(node, part)
    return node if isinstance(node, ScalarNode) and node.tag != _NULL else None


def _number(path: Path, factor: int, step: int, root: Node) -> Node | None:
    node = _at(root, path)
    return None if node is None else _with(root, path, str(int(node.value) * factor + step))


def _shifted(path: Path, step: int) -> Mutant:
    def change(root: Node) -> Node | None:
        node = _at(root, path)
        if node is None:
            return None
        length = parse_duration(node.value) + step
        return _with(root, path, format_duration(length)) if length >= 0 else None

    return Mutant(f"{_named(path)} {step // HOUR or step / HOUR:+.4g} h", change)


def _instant(path: Path, step: int, root: Node) -> Node | None:
    node = _at(root, path)
    if node is None:
        return None
    return _with(root, path, format_instant(parse_instant(node.value) + step))


def _ratio(path: Path, factor: float, step: float, root: Node) -> Node | None:
    node = _at(root, path)
    if node is None:
        return None
    return _with(root, path, f"{float(node.value) * factor + step:.6f}")


def _put(path: Path, value: object, root: Node) -> Node | None:
    return _replaced(root, path, _node(value, root))


def _added(path: Path, root: Node) -> Node | None:
    there = child(child(child(root, "consequence"), "surfaces"), path[-1]) is not None
    return None if there else _put(path, "limited", root)


def _other_level(path: Path, root: Node) -> Node | None:
    node = _at(root, path)
    return (
        None if node is None else _put(path, "off" if node.value == "limited" else "limited", root)
    )


def _remove(path: Path, root: Node) -> Node | None:
    return _replaced(root, path, None)


def _cover(label: str, field: str, root: Node) -> Node | None:
    """An exempt label becomes one that is covered."""
    exempt = child(child(root, "fields"), "exempt_labels")
    if not isinstance(exempt, SequenceNode):
        return None
    left = [it for it in plain(exempt) if it != label]
    moved = _put(("fields", "exempt_labels"), left, root)
    return None if moved is None else _put(("fields", "labels", label), field, moved)


def _with(root: Node, path: Path, text: str) -> Node | None:
    """The document with the text of one scalar replaced, its type kept."""
    old = _at(root, path)
    assert old is not None
    return _replaced(root, path, ScalarNode(old.tag, text, old.start_mark, old.end_mark))


def _node(value: object, like: Node) -> Node:
    marks = (like.start_mark, like.end_mark)
    if isinstance(value, list):
        return SequenceNode("tag:yaml.org,2002:seq", [_node(it, like) for it in value], *marks)
    return ScalarNode(_NULL if value is None else _STR, str(value), *marks)


def _replaced(node: Node | None, path: Path, new: Node | None) -> Node | None:
    """A copy with what is at a path replaced, added or (None) removed; None: no such place."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(node, MappingNode):
        pairs = [(key, value) for key, value in node.value if key.value != first]
        old = child(node, first)
        if old is None and (rest or new is None):
            return None
        changed = _replaced(old, rest, new)
        if changed is None and (rest or new is not None):
            return None
        if changed is not None:
            assert isinstance(first, str)
            key = ScalarNode(_STR, first, node.start_mark, node.end_mark)
            pairs.append((key, changed))
        return MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
    if isinstance(node, SequenceNode) and isinstance(first, int) and first < len(node.value):
        changed = _replaced(node.value[first], rest, new)
        if changed is None:
            return None
        items = [*node.value[:first], changed, *node.value[first + 1 :]]
        return SequenceNode(node.tag, items, node.start_mark, node.end_mark)
    return None
