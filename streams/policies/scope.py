"""Reads from a policy file whom it covers and what follows: phases, fields, labels, surfaces.

A line is the follower count from which on a phase applies.
"""

from collections.abc import Callable
from functools import partial

from ruamel.yaml.nodes import MappingNode, Node

from schemas.enums import (
    ID_PATTERN,
    MAX_CATEGORY_LENGTH,
    MAX_FOLLOWERS,
    Field,
    Ground,
    Level,
    Mode,
    Surface,
)
from streams.core.model.labels import folded_label
from streams.core.model.policy import (
    ANSWERS,
    SHANGHAI_OFFSET_MINUTES,
    Consequence,
    Phase,
    Restriction,
)
from streams.policies.faults import InvalidValue
from streams.policies.scalars import (
    matching,
    offset_minutes,
    one_of,
    quoted,
    read_scalar,
    read_text,
    read_word,
    tag,
)
from streams.policies.sections import Section, line_of, pairs

MOST_PHASES = 100

_identifier = matching(ID_PATTERN, "an id")


def read_phases(top: Section) -> Callable[[], tuple[Phase, ...]]:
    """Reads the phases. The returned function makes them, sorted by start; None comes last."""
    nodes = top.some("phases", MOST_PHASES, "phases")
    if not nodes and top.sound("phases"):
        top.fault("phases", "there is no phase", "write at least one: {name, followers, from}")
    makers: list[tuple[int | None, Callable[[], Phase]]] = []
    dated: list[tuple[int, int | None, Section]] = []
    names: set[str] = set()
    for number, node in enumerate(nodes):
        section = Section(
            node,
            f"phases[{number}]",
            line_of(node),
            top.findings,
            required=("name", "followers", "from"),
            optional=("answer_by", "mode"),
        )
        name = section.read("name", _identifier, "")
        if section.sound("name") and name in names:
            section.fault("name", f"two phases are named {quoted(name)}", "give each its own name")
        names.add(name)
        followers = section.integer("followers", 1, MAX_FOLLOWERS)
        starts_at = section.instant_or_null("from")
        zone = _zone(section) if starts_at is not None else SHANGHAI_OFFSET_MINUTES
        answer_by = section.instant_or_null("answer_by")
        mode = section.word_or_null("mode", Mode)
        if starts_at is not None and answer_by is not None and answer_by <= starts_at:
            section.fault("answer_by", "it is not after the phase's from", "write a later time")
        if starts_at is not None:
            dated.append((starts_at, followers if section.sound("followers") else None, section))
        values = (name, followers, starts_at, answer_by, mode, zone)
        makers.append((starts_at, partial(Phase, *values)))
    _check_order(dated)
    makers.sort(key=lambda maker: (maker[0] is None, maker[0] or 0))
    return lambda: tuple(make() for _, make in makers)


def _zone(section: Section) -> int:
    node = section.node("from")
    assert node is not None
    return offset_minutes(read_scalar(node))


def _check_order(dated: list[tuple[int, int | None, Section]]) -> None:
    """Notes a fault for each phase that starts with another one, or whose line is not lower.

    Each line is compared with that of the phase before; phases with unreadable lines are skipped.
    """
    dated.sort(key=lambda phase: phase[0])
    before: int | None = None
    last_start: int | None = None
    for start, line, section in dated:
        if start == last_start:
            section.fault("from", "two phases start at one time", "give each its own from")
        elif before is not None and line is not None and line >= before:
            section.fault(
                "followers",
                f"a later phase's line must be lower than {before}, the line before it",
                "lower it, or swap the two starts",
            )
        last_start = start
        before = before if line is None else line


def read_fields(
    section: Section,
) -> tuple[frozenset[Field] | None, dict[str, Field], frozenset[str]]:
    """Reads the covered fields (None: any), the field of each label, and the exempt labels."""
    covered: frozenset[Field] | None = None
    node = section.node("covered")
    if section.null("covered"):
        section.fault("covered", "null is not a list of fields", "write any, or a list of fields")
    elif node is not None and (tag(node) != "str" or node.value != "any"):
        words = section.each("covered", lambda item: read_word(item, Field))
        covered = frozenset(field for _, field in words)
    labels: dict[str, Field] = {}
    seen: dict[str, tuple[str, int]] = {}
    node = section.node("labels")
    if node is not None:
        where = section.path("labels")
        for label, key, value in pairs(node, where, section.line("labels"), section.findings):
            try:
                _label(key)
                _unlike(label, line_of(key), seen)
                labels[label] = read_word(value, Field)
            except InvalidValue as wrong:
                message = f"{where}.{label[:20]}: {wrong.message}"
                section.findings.add(line_of(key), message, wrong.fix)
    exempt_labels = section.each("exempt_labels", _label)
    for line, label in exempt_labels:
        if label in labels or seen.get(folded_label(label), ("", 0))[0] == label:
            first = seen[folded_label(label)][1]
            what = f"the label {quoted(label)} is in labels too (line {first})"
            section.findings.add(line, f"fields.exempt_labels: {what}", "keep one of the two")
            continue
        try:
            _unlike(label, line, seen)
        except InvalidValue as wrong:
            section.findings.add(line, f"fields.exempt_labels: {wrong.message}", wrong.fix)
    return covered, labels, frozenset(label for _, label in exempt_labels)


def _label(node: Node) -> str:
    text = read_text(node)
    if not 1 <= len(text) <= MAX_CATEGORY_LENGTH:
        what = f"a label of {len(text)} characters"
        raise InvalidValue(
            what, f"write the platform's label, 1 to {MAX_CATEGORY_LENGTH} characters"
        )
    if not folded_label(text):
        fix = "write the platform's label, as people see it"
        raise InvalidValue(f"the label {quoted(text)} has no character that can be seen", fix)
    return text


def _unlike(label: str, line: int, seen: dict[str, tuple[str, int]]) -> None:
    """Adds a label to `seen`. Raises InvalidValue if another one counts as the same label."""
    other, first = seen.setdefault(folded_label(label), (label, line))
    if other != label:
        what = f"the label {quoted(label)} is the same as {quoted(other)} (line {first})"
        raise InvalidValue(
            what, "keep one: width, spaces and invisible characters make no other label"
        )


def read_consequence(section: Section) -> Callable[[], Consequence]:
    """Reads what follows a refusal or silence; the returned function makes it.

    Surfaces that the platform has not announced are None.
    """
    surfaces: dict[Surface, Restriction] | None = None
    node = section.node("surfaces")
    if node is not None:
        surfaces = {}
        where = section.path("surfaces")
        for name, key, value in pairs(node, where, section.line("surfaces"), section.findings):
            try:
                surface = Surface(name)
            except ValueError:
                message = f"{where}: unknown surface {quoted(name)}"
                section.findings.add(line_of(key), message, one_of(name, list(Surface)))
                continue
            surfaces[surface] = _restriction(value, f"{where}.{name}", line_of(key), section)
    on = section.each("on", lambda item: read_word(item, Ground, ANSWERS))
    review_after = section.duration("review_after", zero=False)
    expires_after = section.duration("expires_after", zero=False)
    if section.sound("review_after", "expires_after") and review_after > expires_after:
        section.fault(
            "review_after",
            "the review comes after the restriction has expired",
            "write one that is at most expires_after",
        )
    grounds: frozenset[str] = frozenset(ground.value for _, ground in on)
    return lambda: Consequence(surfaces, grounds, review_after, expires_after)


def _restriction(node: Node, where: str, line: int, section: Section) -> Restriction:
    if isinstance(node, MappingNode):
        inner = Section(
            node, where, line, section.findings, required=("level",), optional=("mode",)
        )
        level = inner.word("level", Level, Level.LIMITED)
        return Restriction(level, inner.word_or_null("mode", Mode))
    try:
        return Restriction(read_word(node, Level), None)
    except InvalidValue as wrong:
        section.findings.add(line, f"{where}: {wrong.message}", wrong.fix)
        return Restriction(Level.LIMITED, None)
