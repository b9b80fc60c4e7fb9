"""Generates the changes that mutation testing tries on a policy, one value at a time.

A change takes a YAML document and returns a changed copy, or None if it does not apply to it.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from schemas.enums import Field, Surface
from streams.lives.nodes import child, plain
from streams.lives.overlay import Change
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
    """One change of a policy: a description, and a function that makes it in the document."""

    words: str
    change: Change


def mutants(root: Node) -> Iterator[Mutant]:
    """Yields every change of the values of a policy's document."""
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
        # The line of a phase not in force only determines the floor, which is rounded down: a
        # change by 1 might change nothing.
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
    # A field to which no label is mapped changes nothing.
    for name in sorted(set(labels.values())) if isinstance(labels, dict) else ():
        new = [it for it in now if it != name] if name in now else [*now, name]
        verb = "without" if name in now else "with"
        yield Mutant(f"fields.covered {verb} {name}", partial(_put, path, new))
    for label, name in labels.items() if isinstance(labels, dict) else ():
        here = ("fields", "labels", label)
        # Beside the only covered field there is none; to map the label to one that is not covered
        # is to remove it.
        other = next((it for it in now if it != name), None)
        if other is not None:
            yield Mutant(f"fields.labels.{label} {other}", partial(_put, here, other))
        if name in now:
            yield Mutant(f"fields.labels.{label} removed", partial(_remove, here))
    exempt = child(fields, "exempt_labels")
    for label in plain(exempt) if isinstance(exempt, SequenceNode) and now else ():
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

    by = f"{step // HOUR:+} h" if step % HOUR == 0 else f"{step // SECOND:+} s"
    return Mutant(f"{_named(path)} {by}", change)


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
    """Returns the document with an exempt label mapped to a field instead."""
    exempt = child(child(root, "fields"), "exempt_labels")
    if not isinstance(exempt, SequenceNode):
        return None
    left = [it for it in plain(exempt) if it != label]
    moved = _put(("fields", "exempt_labels"), left, root)
    return None if moved is None else _put(("fields", "labels", label), field, moved)


def _with(root: Node, path: Path, text: str) -> Node | None:
    """Returns the document with the text of one scalar replaced; its type stays."""
    old = _at(root, path)
    assert old is not None
    return _replaced(root, path, ScalarNode(old.tag, text, old.start_mark, old.end_mark))


def _node(value: object, like: Node) -> Node:
    marks = (like.start_mark, like.end_mark)
    if isinstance(value, list):
        return SequenceNode("tag:yaml.org,2002:seq", [_node(it, like) for it in value], *marks)
    return ScalarNode(_NULL if value is None else _STR, str(value), *marks)


def _replaced(node: Node | None, path: Path, new: Node | None) -> Node | None:
    """Returns a copy with the node at a path replaced or added; `new` None: removed.

    Returns None if there is no such path.
    """
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
