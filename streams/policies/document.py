"""Parses a policy file into YAML nodes with their lines, or finds a fault.

Only a plain file of bounded size, nesting and number of values is read, so that no file takes more
than two seconds. No message quotes a file before it is known to be a policy: if an operator names
the wrong file, its password must not get into the log.
"""

import os
import re
import stat
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from streams.policies.faults import Findings

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 32
"""How deep lists and mappings may be nested. A policy needs five levels."""
MAX_VALUES = 40_000
"""Keys, values and elements that one file may have. A policy has some hundred."""
SMALLEST_POLICY = 3
"""A file with fewer of a policy's top-level keys than this is taken for another kind of file."""

_KINDS = {
    stat.S_ISDIR: "a directory",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def read_document(
    path: Path,
    findings: Findings,
    keys: frozenset[str],
    *,
    inside: Path | None = None,
    kind: str = "policy",
) -> Node | None:
    """Returns the YAML document of a file; None if it has a fault, which goes to `findings`.

    `keys`: the top-level keys of a policy, or of another `kind` of file. `inside`: the directory
    that a link must not lead out of; None: not checked. (A mounted ConfigMap has links within its
    directory.)
    """
    raw = _bytes_of(path, findings, inside)
    if raw is None:
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        findings.add(line, "this is not UTF-8", "save the file as UTF-8")
        return None
    root = _compose(text, len(raw), findings)
    if root is not None and not _is_meant(root, findings, keys, kind):
        return None
    return root


def _bytes_of(path: Path, findings: Findings, inside: Path | None) -> bytes | None:
    try:
        if inside is not None:
            real = Path(os.path.realpath(path, strict=True))
            if not real.is_relative_to(os.path.realpath(inside, strict=True)):
                fix = "put the file itself there, or a link to one inside the directory"
                findings.add(1, "this is a link that leads out of the directory", fix)
                return None
        mode = path.stat().st_mode
        for is_kind, kind in _KINDS.items():
            if is_kind(mode):
                findings.add(1, f"this is {kind}", "name a plain file")
                return None
        # Without O_NONBLOCK it would hang if the file has become a pipe since `stat`.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            raw = file.read(MAX_FILE_BYTES + 1) if size <= MAX_FILE_BYTES else b""
    except (OSError, ValueError) as error:
        what = (getattr(error, "strerror", None) or str(error)).lower()
        findings.add(1, f"cannot be read ({what})", "name a readable file")
        return None
    if size > MAX_FILE_BYTES or len(raw) > MAX_FILE_BYTES:
        _too_large(findings, f"the file has {max(size, len(raw)):,} bytes", f"{MAX_FILE_BYTES:,}")
        return None
    return raw


def _too_large(findings: Findings, what: str, at_most: str) -> None:
    fix = "a policy is far smaller: name the right file"
    findings.add(1, f"{what}, at most {at_most} are read", fix)


class _TooLargeError(YAMLError):
    """The file is nested too deep, or has too many values."""


class _Scanner(Scanner):
    # The base class computes these properties for every character; caching makes it fast enough.
    @cached_property
    def reader(self) -> Any:
        return super().reader


class _Parser(Parser):
    @cached_property
    def scanner(self) -> Any:
        return super().scanner

    @cached_property
    def resolver(self) -> Any:
        return super().resolver


class _Composer(Composer):
    """Stops at too much depth or too many values; notes the lines with half a surrogate pair."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        # A warning would quote the anchor's name from the file.
        self.warn_double_anchors = False
        self.values = 0
        self.nesting = 0
        self.halves: list[int] = []

    @cached_property
    def parser(self) -> Any:
        return super().parser

    @cached_property
    def resolver(self) -> Any:
        return super().resolver

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.values += 1
        if self.values > MAX_VALUES:
            raise _TooLargeError(f"there are over {MAX_VALUES:,} values", f"{MAX_VALUES:,}")
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: Any) -> Any:
        node = super().compose_scalar_node(anchor)
        if not node.value.isascii() and re.search("[\ud800-\udfff]", node.value):
            self.halves.append(node.start_mark.line + 1)
            node.value = re.sub("[\ud800-\udfff]", "\ufffd", node.value)
        return node

    def compose_sequence_node(self, anchor: Any) -> Any:
        return self._nested(super().compose_sequence_node, anchor)

    def compose_mapping_node(self, anchor: Any) -> Any:
        return self._nested(super().compose_mapping_node, anchor)

    def _nested(self, compose: Any, anchor: Any) -> Any:
        self.nesting += 1
        if self.nesting > MAX_DEPTH:
            what = f"lists and mappings are nested deeper than {MAX_DEPTH}"
            raise _TooLargeError(what, f"{MAX_DEPTH} levels")
        node = compose(anchor)
        self.nesting -= 1
        return node


def _compose(text: str, size: int, findings: Findings) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Parser, yaml.Composer = _Scanner, _Parser, _Composer
    fix = "mend the YAML"
    try:
        root: Node | None = yaml.compose(text)
    except _TooLargeError as error:
        what, at_most = error.args
        _too_large(findings, f"{what} in {size:,} bytes", at_most)
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = _without_content(error.problem or error.context or "unreadable")
        findings.add(mark.line + 1 if mark else 1, f"this is not YAML 1.2 ({what})", fix)
        return None
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        findings.add(line, "this is not YAML 1.2 (a control character)", fix)
        return None
    except (YAMLError, RecursionError, ValueError) as error:
        findings.add(1, f"this is not YAML 1.2 ({type(error).__name__})", fix)
        return None
    if root is None:
        findings.add(1, "the file is empty", "write a policy")
    for line in yaml.composer.halves:
        what = "half of a character (a surrogate, \\ud800 to \\udfff)"
        findings.add(line, what, "write the character itself")
    return root


def _without_content(problem: str) -> str:
    """Returns a parser's message without what it quotes from the file."""
    quotes = r"'(<[a-z ]+>|[^\w\s']{1,3}|\\t)'|'[^']*'"
    return re.sub(quotes, lambda it: it[0] if it[1] else "…", problem.splitlines()[0])


def _is_meant(root: Node, findings: Findings, keys: frozenset[str], kind: str) -> bool:
    """Returns whether this looks like a file of this kind; if not, notes a fault."""
    if not isinstance(root, MappingNode):
        what = "a list" if isinstance(root, SequenceNode) else "a text"
        findings.add(1, f"this is no {kind}: {what} is not a mapping", "write key: value lines")
        return False
    names = {key.value for key, _ in root.value if isinstance(key, ScalarNode)}
    if len(names & keys) < SMALLEST_POLICY:
        what = f"this is no {kind}: it has {len(names & keys)} of a {kind}'s {len(keys)} keys"
        findings.add(1, what, f"name a {kind} file")
        return False
    return True
