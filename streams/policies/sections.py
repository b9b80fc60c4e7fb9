"""Reads one mapping of a policy file key by key, and notes every fault with its line.

A value that cannot be read is noted as a fault and replaced by a harmless one of its type. So
reading goes on, and all faults are found at once. No policy is made of a file with a fault.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from streams.policies.faults import MOST_FAULTS, Findings, Fix, InvalidValue
from streams.policies.scalars import (
    nearest,
    one_of,
    parse_duration,
    parse_instant,
    parse_ratio_ppm,
    quoted,
    read_boolean,
    read_integer,
    read_number,
    read_scalar,
    read_text,
    read_word,
    shown,
    tag,
)

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

NULLABLE = frozenset(
    {"answer_window", "impact_assessment", "from", "labels", "exempt_labels", "surfaces", "on"}
)
"""Required keys that may be null: facts that a platform may not have announced."""


def line_of(node: Node) -> int:
    """The line on which a node starts, counted from 1."""
    return int(node.start_mark.line) + 1


def pairs(
    node: Node, where: str, line: int, findings: Findings
) -> Iterator[tuple[str, ScalarNode, Node]]:
    """Yields key, key node and value of each entry of a mapping.

    It is a fault if the node is no mapping, a key is no text, or a key stands twice. `where` and
    `line`: the place of the mapping, for messages.
    """
    if not isinstance(node, MappingNode):
        findings.add(line, f"{where}: {shown(node)} is not a mapping", "write key: value lines")
        return
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        at = line_of(key_node)
        try:
            key = read_text(key_node)
        except InvalidValue as wrong:
            findings.add(at, f"{where}: the key {wrong.message}", wrong.fix)
            continue
        if key in seen:
            first = f"first on line {seen[key]}"
            findings.add(
                at, f"{where}: {quoted(key)} is written twice ({first})", "keep one of them"
            )
            continue
        seen[key] = at
        yield key, key_node, value


class Section:
    """A mapping with a closed set of keys; an unknown or missing one is a fault.

    Its methods read the value of a key. If that is missing or wrong they return a harmless value.
    """

    def __init__(
        self,
        node: Node,
        where: str,
        line: int,
        findings: Findings,
        *,
        required: Iterable[str],
        optional: Iterable[str] = (),
    ) -> None:
        self.where = where
        self.findings = findings
        self._line = line
        self._values: dict[str, Node] = {}
        self._lines: dict[str, int] = {}
        self._unsound: set[str] = set()
        known = (*required, *optional)
        unknown: list[str] = []
        for key, key_node, value in pairs(node, where, line, findings):
            self._lines[key] = line_of(key_node)
            if key in known:
                self._values[key] = value
            else:
                unknown.append(key)
                what = f"{where}: unknown key {quoted(key)}"
                findings.add(line_of(key_node), what, one_of(key, known))
        if isinstance(node, MappingNode):
            meant = {nearest(key, known) for key in unknown[:MOST_FAULTS]}
            for key in required:
                if key not in self._values and key not in meant:
                    fix = f"add {key}, if only as null" if key in NULLABLE else f"add {key}"
                    findings.add(line, f"{where}: {key!r} is missing", fix)

    def line(self, key: str) -> int:
        """The line of a key; if the key is absent, the line of its section."""
        return self._lines.get(key, self._line)

    def fault(self, key: str, message: str, fix: Fix) -> None:
        """Notes a fault in the value of one key."""
        self._unsound.add(key)
        self.findings.add(self.line(key), f"{self.path(key)}: {message}", fix)

    def path(self, key: str) -> str:
        """Returns the key as messages name it: with its section, except at the top level."""
        return key if self.where == "policy" else f"{self.where}.{key}"

    def sound(self, *keys: str) -> bool:
        """Returns whether all these keys exist and were read without a fault."""
        return all(key in self._values and key not in self._unsound for key in keys)

    def null(self, key: str) -> bool:
        """Returns whether a key exists and is null: the platform has not announced this fact."""
        return key in self._values and tag(self._values[key]) == "null"

    def empty(self, key: str) -> bool:
        """Whether a key is absent or null."""
        return key not in self._values or self.null(key)

    def read(self, key: str, parse: Callable[[Node], T], harmless: T) -> T:
        """Returns the parsed value. If it is absent or unreadable, returns `harmless`.

        An unreadable value is noted as a fault.
        """
        if key not in self._values:
            return harmless
        try:
            return parse(self._values[key])
        except InvalidValue as wrong:
            self.fault(key, wrong.message, wrong.fix)
            return harmless

    def read_or_null(self, key: str, parse: Callable[[Node], T]) -> T | None:
        """A value; None if it is absent, null or unreadable."""
        return None if self.empty(key) else self.read(key, lambda node: parse(node), None)

    def text(self, key: str) -> str:
        """Returns a text."""
        return self.read(key, read_text, "")

    def boolean(self, key: str) -> bool:
        """Returns true or false; absent or null is false."""
        return bool(self.read_or_null(key, read_boolean))

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return self.read(key, lambda node: read_integer(node, low, high), low)

    def duration(self, key: str, *, zero: bool) -> int:
        """A duration in milliseconds. `zero` says whether it may be zero."""
        return self.read(key, lambda node: _duration(node, zero), 1)

    def duration_or_null(self, key: str) -> int | None:
        """A duration longer than zero in milliseconds, or None."""
        return self.read_or_null(key, lambda node: _duration(node, False))

    def instant_or_null(self, key: str) -> int | None:
        """An instant in milliseconds UTC, or None."""
        return self.read_or_null(key, lambda node: parse_instant(read_scalar(node)))

    def ratio_ppm(self, key: str) -> int:
        """A ratio above 0 and at most 1, in parts per million."""
        return self.read(key, lambda node: parse_ratio_ppm(read_number(node)), 1)

    def ratio_ppm_or_null(self, key: str) -> int | None:
        """A ratio above 0 and at most 1 in parts per million, or None."""
        return self.read_or_null(key, lambda node: parse_ratio_ppm(read_number(node)))

    def word(self, key: str, words: type[Word], harmless: Word) -> Word:
        """A word of a closed list."""
        return self.read(key, lambda node: read_word(node, words), harmless)

    def word_or_null(self, key: str, words: type[Word]) -> Word | None:
        """A word of a closed list, or None."""
        return self.read_or_null(key, lambda node: read_word(node, words))

    def section(self, key: str, required: Iterable[str], optional: Iterable[str] = ()) -> "Section":
        """Returns the mapping under a key; if it is absent, an empty one without faults."""
        node = self._values.get(key)
        if node is None:
            return Section(MappingNode("", []), key, self._line, self.findings, required=())
        return Section(
            node,
            self.path(key),
            self.line(key),
            self.findings,
            required=required,
            optional=optional,
        )

    def node(self, key: str) -> Node | None:
        """The node under a key; None if it is absent or null."""
        return None if self.empty(key) else self._values[key]

    def items(self, key: str) -> list[Node]:
        """Returns the elements of a list; none if it is absent or null."""
        node = self.node(key)
        if node is None:
            return []
        if not isinstance(node, SequenceNode):
            self.fault(key, f"{shown(node)} is not a list", "write a list: [a, b]")
            return []
        return list(node.value)

    def some(self, key: str, most: int, what: str) -> list[Node]:
        """Returns the first `most` elements of a list; more of them (`what`) are a fault."""
        nodes = self.items(key)
        if len(nodes) > most:
            self.fault(key, f"{len(nodes)} {what}, at most {most} are allowed", "leave some out")
        return nodes[:most]

    def each(self, key: str, parse: Callable[[Node], T]) -> list[tuple[int, T]]:
        """Returns the readable elements of a list, each with its line. A repeat is a fault."""
        found: dict[T, int] = {}
        for item in self.items(key):
            at = line_of(item)
            try:
                value = parse(item)
            except InvalidValue as wrong:
                self.findings.add(at, f"{self.path(key)}: {wrong.message}", wrong.fix)
                self._unsound.add(key)
                continue
            if value in found:
                what = f"{self.path(key)}: {shown(item)} is written twice"
                self.findings.add(at, f"{what} (first on line {found[value]})", "keep one of them")
            else:
                found[value] = at
        return [(at, value) for value, at in found.items()]


def _duration(node: Node, zero: bool) -> int:
    text = read_scalar(node)
    length = parse_duration(text)
    if length == 0 and not zero:
        raise InvalidValue(
            f"{quoted(text)} is no time at all", "write a duration longer than zero: P7D"
        )
    return length
