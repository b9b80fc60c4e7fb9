"""Makes a `Policy` of a YAML document, and checks every key, range and relation.

schemas/CONTRACT.md, "Policies".

Each part is read into a maker, a function that makes it. Makers are called only if the whole file
has no fault. `scope.py` reads phases, labels and surfaces.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from ruamel.yaml.nodes import MappingNode, Node

from schemas.enums import ACTOR_PATTERN, ALLOWED_SKEW_SECONDS, ID_PATTERN, PLATFORM_PATTERN, Mode
from streams.core.model.policy import (
    MAX_REFERENCE_LENGTH,
    MOST_REMINDERS,
    Guards,
    Notice,
    Policy,
    Stability,
    is_reference,
)
from streams.policies.faults import Findings, InvalidValue
from streams.policies.scalars import (
    SECOND,
    matching,
    parse_duration,
    parse_instant,
    quoted,
    read_scalar,
    read_text,
)
from streams.policies.scope import read_consequence, read_fields, read_phases
from streams.policies.sections import Section, line_of

REQUIRED = (
    *("platform", "version", "mode", "notice", "impact_assessment", "phases", "fields"),
    *("stability", "consequence", "on_fall_below", "caps", "rollout_percent"),
)
OPTIONAL = ("approvals", "guards")
KEYS = frozenset((*REQUIRED, *OPTIONAL))
"""The top-level keys of a policy."""

MOST_APPROVALS = 100
MAX_COUNT = 10**9
"""The greatest version, cap, and `minimum` of guards. A greater number is surely a mistake."""

T = TypeVar("T")
Maker = Callable[[], T]


class Choice(StrEnum):
    """What happens when an invited account falls below the line."""

    CLOSE = "close"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A file that was read: its platform, even if the file has faults, and its policy's maker."""

    platform: str
    platform_line: int
    make: Maker[Policy]


def read_policy(
    root: Node, findings: Findings, *, require_approvals: bool, now: int | None = None
) -> PolicyDraft:
    """Reads one document. Faults go to `findings`; `make` may be called only if there are none.

    `now`: this machine's clock (ms). No approval may be more than PT5M ahead of it; None: not
    checked.
    """
    top = Section(root, "policy", 1, findings, required=REQUIRED, optional=OPTIONAL)
    mode = top.word("mode", Mode, Mode.OFF)
    platform = top.read("platform", _slug, "")
    version = top.integer("version", 1, MAX_COUNT)
    impact_assessment = top.read_or_null("impact_assessment", _reference)
    keep = top.word("on_fall_below", Choice, Choice.CLOSE) is Choice.KEEP
    rollout_percent = top.integer("rollout_percent", 0, 100)
    approvals = _approvals(top, now)
    notice_section = top.section(
        "notice", ("id", "version", "answer_window"), ("renew", "reminders")
    )
    notice = _notice(notice_section)
    phases = read_phases(top)
    covered, labels, exempt_labels = read_fields(
        top.section("fields", ("covered", "labels", "exempt_labels"))
    )
    stability = _stability(
        top.section("stability", ("dwell", "exit_ratio", "leave_after", "cool_down"), ("max_age",))
    )
    consequence_section = top.section(
        "consequence", ("surfaces", "on", "review_after", "expires_after")
    )
    consequence = read_consequence(consequence_section)
    caps = top.section("caps", ("invitations_per_day", "throttles_per_hour"))
    invitations = caps.integer("invitations_per_day", 0, MAX_COUNT)
    throttles = caps.integer("throttles_per_hour", 0, MAX_COUNT)
    guards = _guards(top)
    if mode is Mode.ENFORCE:
        _enforceable(top, notice_section, consequence_section)
        if require_approvals and len({actor.casefold() for actor, _ in approvals}) < 2:
            fix = "add approvals: [{actor, at}, …]"
            top.fault("approvals", "enforce needs the approval of two different actors", fix)
    return PolicyDraft(
        platform,
        top.line("platform"),
        lambda: Policy(
            platform=platform,
            version=version,
            mode=mode,
            notice=notice(),
            impact_assessment=impact_assessment,
            approvals=tuple(sorted(approvals, key=lambda approval: (approval[1], approval[0]))),
            phases=phases(),
            covered=covered,
            labels=labels,
            exempt_labels=exempt_labels,
            stability=stability(),
            consequence=consequence(),
            keep_on_fall_below=keep,
            invitations_per_day=invitations,
            throttles_per_hour=throttles,
            rollout_percent=rollout_percent,
            guards=guards() if guards else None,
        ),
    )


def _enforceable(top: Section, notice: Section, consequence: Section) -> None:
    for section, key in (
        (notice, "answer_window"),
        (consequence, "surfaces"),
        (consequence, "on"),
        (top, "impact_assessment"),
    ):
        if section.null(key):
            section.fault(key, "enforce needs it, and it is null", "set it, or use mode: shadow")
    surfaces = consequence.node("surfaces")
    if isinstance(surfaces, MappingNode) and not surfaces.value:
        what = "enforce needs it, and it names no surface"
        consequence.fault("surfaces", what, "name one, or use mode: shadow")


_slug = matching(PLATFORM_PATTERN, "a platform slug")
_identifier = matching(ID_PATTERN, "an id")
_actor = matching(ACTOR_PATTERN, "an actor")


def _reference(node: Node) -> str:
    text = read_text(node)
    fix = "write the reference of your document, such as PIA-2023-17"
    if not text.strip():
        raise InvalidValue("it is blank", f"{fix}, or null")
    if not is_reference(text):
        what = f"no reference: one word of at most {MAX_REFERENCE_LENGTH} characters, without @"
        raise InvalidValue(what, fix)
    return text


def _approvals(top: Section, now: int | None) -> list[tuple[str, int]]:
    found = []
    spelt: dict[str, str] = {}
    for number, node in enumerate(top.some("approvals", MOST_APPROVALS, "approvals")):
        where = f"approvals[{number}]"
        approval = Section(node, where, line_of(node), top.findings, required=("actor", "at"))
        actor = approval.read("actor", _actor, "")
        at = approval.read("at", lambda value: parse_instant(read_scalar(value)), 0)
        if now is not None and at > now + ALLOWED_SKEW_SECONDS * SECOND:
            what = f"it is over {ALLOWED_SKEW_SECONDS} s ahead of this machine's clock"
            approval.fault("at", what, "write when it was given, or set the clock")
        other = spelt.setdefault(actor.casefold(), actor)
        if other != actor:
            what = f"{quoted(actor)} is {quoted(other)} in another case"
            approval.fault("actor", what, "name two people, or keep one of them")
        found.append((actor, at))
    return found


def _notice(section: Section) -> Maker[Notice]:
    window = section.duration_or_null("answer_window")
    renew = section.boolean("renew")
    name = section.read("id", _identifier, "")
    version = section.read("version", _identifier, "")
    reminders = []
    for line, reminder in section.each("reminders", lambda node: parse_duration(read_scalar(node))):
        reminders.append(reminder)
        where = section.path("reminders")
        if reminder == 0:
            what = f"{where}: a reminder at the deadline comes too late"
            section.findings.add(line, what, "write how long before it: P3D")
        if window is not None and reminder > window:
            what = f"{where}: a reminder is longer before the deadline than the window"
            section.findings.add(line, what, "write one that is at most answer_window")
    if len(reminders) > MOST_REMINDERS:
        what = f"{len(reminders)} reminders, at most {MOST_REMINDERS} are allowed"
        section.fault("reminders", what, "leave some out")
    ordered = tuple(sorted(reminders, reverse=True))
    return lambda: Notice(name, version, renew, window, ordered)


def _stability(section: Section) -> Maker[Stability]:
    dwell = section.duration("dwell", zero=True)
    exit_ratio_ppm = section.ratio_ppm("exit_ratio")
    leave_after = section.duration("leave_after", zero=True)
    cool_down = section.duration("cool_down", zero=True)
    max_age = section.duration_or_null("max_age")
    return partial(Stability, dwell, exit_ratio_ppm, leave_after, cool_down, max_age)


def _guards(top: Section) -> Maker[Guards] | None:
    if top.empty("guards"):
        return None
    section = top.section(
        "guards",
        ("window", "minimum"),
        ("undelivered_ratio", "overturned_ratio", "sudden_eligible_ratio", "sudden_drop_ratio"),
    )
    return partial(
        Guards,
        window=section.duration("window", zero=False),
        minimum=section.integer("minimum", 1, MAX_COUNT),
        undelivered_ppm=section.ratio_ppm_or_null("undelivered_ratio"),
        overturned_ppm=section.ratio_ppm_or_null("overturned_ratio"),
        sudden_eligible_ppm=section.ratio_ppm_or_null("sudden_eligible_ratio"),
        sudden_drop_ppm=section.ratio_ppm_or_null("sudden_drop_ratio"),
    )
