"""Describes the keys of a policy file for `byline policy explain`, from the schema of the file."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.policy_file import SOURCES, PolicyFile


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """One key of a policy file.

    `path`: where it stands, as `notice.answer_window`; elements of a list have no number. `means`:
    its meaning. `source`: who decides the value. `allowed`: the values that it may have.
    """

    path: str
    means: str
    unit: str | None
    source: str
    required: bool
    allowed: str

    def as_dict(self) -> dict[str, Any]:
        """Returns the key as JSON of `byline policy explain --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


class UnknownKey(ValueError):
    """There is no such key; the message names a similar one."""


def all_keys() -> list[PolicyKey]:
    """Every key, in the order of the file."""
    schema = PolicyFile.model_json_schema()
    return list(_keys(schema, schema, ""))


def find(name: str) -> list[PolicyKey]:
    """Returns the keys with this path, or with this last part of it; a mapping with all its keys.

    Raises:
        UnknownKey: there is none.
    """
    known = all_keys()
    wanted = name.removeprefix("policy.")
    found = [it for it in known if it.path == wanted or it.path.startswith(f"{wanted}.")]
    found = found or [it for it in known if it.path.rpartition(".")[2] == wanted]
    if found:
        return found
    names = {it.path for it in known} | {it.path.rpartition(".")[2] for it in known}
    near = difflib.get_close_matches(wanted, sorted(names), 1)
    hint = f"did you mean {near[0]}?" if near else "`byline policy explain` lists all keys"
    raise UnknownKey(f"a policy has no key {name!r}; {hint}")


def _keys(root: Mapping[str, Any], part: Mapping[str, Any], before: str) -> Iterator[PolicyKey]:
    for name, plain in part["properties"].items():
        path = f"{before}{name}"
        yield PolicyKey(
            path,
            plain["description"],
            plain.get("x-unit"),
            SOURCES[plain["x-source"]],
            name in part.get("required", ()),
            ", ".join(_allowed(root, plain)),
        )
        for inner in _mappings(root, plain):
            yield from _keys(root, inner, f"{path}.")


def _branches(root: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the schemas of the forms that a value may have, with references resolved."""
    if "$ref" in plain:
        yield from _branches(root, root["$defs"][plain["$ref"].rpartition("/")[2]])
        return
    for inner in plain.get("anyOf", ()):
        yield from _branches(root, inner)
    if "anyOf" not in plain:
        yield plain


def _mappings(root: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for branch in _branches(root, plain):
        if "properties" in branch:
            yield branch
        for deeper in (branch.get("items"), branch.get("additionalProperties")):
            if isinstance(deeper, dict):
                yield from _mappings(root, deeper)


def _allowed(root: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[str]:
    for branch in _branches(root, plain):
        if "const" in branch:
            yield str(branch["const"])
        elif "enum" in branch:
            yield from map(str, branch["enum"])
        elif branch.get("type") == "array":
            yield "a list"
        elif branch.get("type") == "object":
            yield "a mapping"
        elif branch.get("type") == "null":
            yield "null"
        else:
            yield {"string": "a text", "integer": "a whole number", "number": "a number"}.get(
                branch.get("type", ""), branch.get("type", "a value")
            )
