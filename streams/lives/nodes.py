"""Converts YAML nodes to plain values, merges them, and finds them by path."""

from collections.abc import Sequence
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from streams.policies.scalars import tag
from streams.policies.sections import line_of


def plain(node: Node) -> Any:
    """Converts a node to plain Python values. Times and other types stay texts."""
    if isinstance(node, MappingNode):
        return {str(key.value): plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    text, kind = str(node.value), tag(node)
    if kind == "null":
        return None
    try:
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text, 0)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return text


def child(node: Node | None, key: str | int) -> Node | None:
    """Returns the value under a key, or the element at an index; None if there is none."""
    if isinstance(node, MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        found: Node = node.value[key]
        return found
    return None


def line_at(root: Node, path: Sequence[str | int]) -> int:
    """Returns the line of the node at a path; keys that do not exist are skipped."""
    node = root
    for key in path:
        deeper = child(node, key)
        if deeper is None:
            continue
        node = deeper
    return line_of(node)


def laid_over(base: Node, over: Node) -> Node:
    """Merges `over` into `base`: mappings key by key; anything else replaces what was there."""
    if not (isinstance(base, MappingNode) and isinstance(over, MappingNode)):
        return over
    new = {key.value: (key, value) for key, value in over.value}
    merged: list[tuple[ScalarNode, Node]] = []
    for key, value in base.value:
        if key.value in new:
            over_key, over_value = new.pop(key.value)
            merged.append((over_key, laid_over(value, over_value)))
        else:
            merged.append((key, value))
    merged += new.values()
    return MappingNode(base.tag, merged, base.start_mark, base.end_mark)
