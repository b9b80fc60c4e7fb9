"""Finds changes to a JSON Schema or the AsyncAPI document that break programs for the old one.

Other programs write inputs, so a change must not require anything new of them. Other programs read
outputs, so no field may become absent or take another type. In both, no field and no value of an
enum may be removed. An output may get new fields and new words: consumers skip those that they do
not know (deploy/consumers.md).
"""

from dataclasses import dataclass, field
from typing import Any

_LEAST = ("minimum", "minLength")
_MOST = ("maximum", "maxLength")


@dataclass
class Shape:
    """A flattened schema: types, allowed values and limits by the path of a place in a value."""

    types: dict[str, set[str]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)


def shape_of(schema: dict[str, Any]) -> Shape:
    """Flattens a schema, and follows `$ref` into its own `$defs`."""
    shape = Shape()
    _walk(schema, schema, "", shape)
    return shape


def _walk(schema: dict[str, Any], root: dict[str, Any], place: str, shape: Shape) -> None:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        _walk(root["$defs"][name], root, place, shape)
        return
    for choice in schema.get("anyOf", []):
        _walk(choice, root, place, shape)
    if "type" in schema:
        shape.types.setdefault(place, set()).add(schema["type"])
    words = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if words:
        shape.words.setdefault(place, set()).update(map(str, words))
    limits = {name: schema[name] for name in (*_LEAST, *_MOST, "pattern") if name in schema}
    if limits:
        shape.limits.setdefault(place, {}).update(limits)
    for name, inner in schema.get("properties", {}).items():
        _walk(inner, root, f"{place}.{name}", shape)
    shape.required |= {f"{place}.{name}" for name in schema.get("required", [])}
    if isinstance(schema.get("items"), dict):
        _walk(schema["items"], root, f"{place}[]", shape)


def breaks(before: dict[str, Any], after: dict[str, Any], is_input: bool) -> list[str]:
    """Returns a sentence for each breaking difference between two versions of a schema.

    `is_input`: the schema is of an input, which other programs write.
    """
    old, new = shape_of(before), shape_of(after)
    found = [f"{place} is gone" for place in old.types if place not in new.types]
    found += [
        f"{place} no longer takes {', '.join(sorted(gone))}"
        for place, types in old.types.items()
        if place in new.types and (gone := types - new.types[place])
    ]
    found += [
        f"{place} no longer has the words {', '.join(sorted(gone))}"
        for place, words in old.words.items()
        if place in new.words and (gone := words - new.words[place])
    ]
    if is_input:
        found += [f"{place} is now required" for place in sorted(new.required - old.required)]
        found += _narrower(old, new)
    else:
        known = old.required & new.types.keys()
        found += [f"{place} may now be absent" for place in sorted(known - new.required)]
        found += [
            f"{place} may now be {', '.join(sorted(more))}"
            for place, types in old.types.items()
            if (more := new.types.get(place, types) - types)
        ]
    return found


def document_breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Returns a sentence for each breaking difference between two AsyncAPI documents.

    Looks at channels, their addresses and messages, at operations, and at headers. What a message
    holds is in the schemas.
    """
    found = []
    for name, channel in before["channels"].items():
        now = after["channels"].get(name)
        if now is None:
            found.append(f"channel {name} is gone")
            continue
        if now["address"] != channel["address"]:
            found.append(f"channel {name} is now {now['address']}")
        gone = channel["messages"].keys() - now["messages"].keys()
        found += [f"channel {name} no longer carries {message}" for message in sorted(gone)]
    for name, operation in before["operations"].items():
        if after["operations"].get(name, {}).get("action") != operation["action"]:
            found.append(f"operation {name} is gone")
    messages = after["components"]["messages"]
    for name, message in before["components"]["messages"].items():
        if name in messages:
            found += _header_breaks(name, message.get("headers"), messages[name].get("headers"))
    return found


def _header_breaks(
    name: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> list[str]:
    old = (before or {}).get("properties", {})
    new, required = (after or {}).get("properties", {}), (after or {}).get("required", [])
    return [
        f"message {name} no longer promises the header {header}"
        for header in (before or {}).get("required", [])
        if header not in required or old[header].get("const") != new[header].get("const")
    ]


def _narrower(old: Shape, new: Shape) -> list[str]:
    found = []
    for place, limits in new.limits.items():
        if place not in old.types:
            continue
        known = old.limits.get(place, {})
        for name, limit in limits.items():
            was = known.get(name)
            narrower = was is None or (
                limit > was if name in _LEAST else limit < was if name in _MOST else limit != was
            )
            if narrower:
                found.append(f"{place} is narrower: {name} {was} became {limit}")
    return found
