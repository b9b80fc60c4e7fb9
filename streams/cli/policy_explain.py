"""`byline policy explain`: says what a key of a policy means, its unit, and who decides it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.lives.nodes import child, plain
from streams.operate.errors import UsageError
from streams.policies.document import read_document
from streams.policies.faults import Findings
from streams.policies.keys import PolicyKey, UnknownKey, all_keys, find
from streams.policies.reading import KEYS
from streams.policies.sections import line_of

SURFACES = ("consequence", "surfaces")


def register(app: typer.Typer) -> None:
    """Add the command to the group of policies."""
    app.command(name="explain")(explain)


def explain(
    key: Annotated[
        str | None, typer.Argument(help="As notice.answer_window, or answer_window.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a key of a policy file means, its unit, who decides it, and its value in each file.

    Without KEY: list all keys.
    """
    try:
        found = all_keys() if key is None else find(key)
    except UnknownKey as unknown:
        raise UsageError(str(unknown)) from unknown
    values = {} if key is None else {it.path: _values(it) for it in found}
    if as_json:
        echo_json([it.as_dict() | {"files": values.get(it.path, [])} for it in found])
        return
    if key is None:
        echo_table(("key", "means"), ((it.path, it.means) for it in found))
        return
    for number, it in enumerate(found):
        if number:
            echo("")
        _say(it, values[it.path])


def _say(key: PolicyKey, values: list[dict[str, Any]]) -> None:
    echo(f"{key.path}: {key.means}")
    if key.unit is not None:
        echo(f"  unit: {key.unit}")
    echo(f"  may be: {key.allowed}" + ("" if key.required else "; may be absent"))
    echo(f"  decided by: {key.source}")
    for it in values:
        comment = f"  # {it['comment']}" if it["comment"] else ""
        echo(f"  {it['file']}:{it['line']}: {it['value']}{comment}")


def _values(key: PolicyKey) -> list[dict[str, Any]]:
    """Returns file, line, value and comment of this key in each policy file.

    The comment on the line names the source of the value. A key of a list has one for each element
    that has it: a phase, an approval, a surface.
    """
    folder = settings(without_policies=True).policies
    parts = key.path.split(".")
    found = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        root = read_document(path, Findings(str(path)), KEYS)
        for node in _nodes(root, parts):
            line, value = line_of(node), plain(node)
            one = isinstance(value, str | int | float | None)
            shown = value if one else f"{len(value)} entries"
            found.append(
                {
                    "file": path.name,
                    "line": line,
                    "value": "null" if shown is None else shown,
                    "comment": _comment(path, line),
                }
            )
    return found


def _nodes(node: Node | None, parts: Sequence[str], walked: tuple[str, ...] = ()) -> Iterator[Node]:
    """Yields the nodes at a path of keys, in the order of the file; a list stands for its elements.

    The keys under `SURFACES` are names of surfaces. A word in the place of a surface's mapping is
    its level.
    """
    if node is None:
        return
    if not parts:
        yield node
    elif isinstance(node, SequenceNode):
        for element in node.value:
            yield from _nodes(element, parts, walked)
    elif walked == SURFACES and isinstance(node, MappingNode):
        for _, surface in node.value:
            is_level = isinstance(surface, ScalarNode) and parts[0] == "level"
            yield from [surface] if is_level else _nodes(surface, parts)
    else:
        yield from _nodes(child(node, parts[0]), parts[1:], (*walked, parts[0]))


def _comment(path: Path, line: int) -> str:
    text = path.read_text(encoding="utf-8").splitlines()[line - 1]
    return text.partition(" # ")[2].strip()
