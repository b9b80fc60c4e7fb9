"""No value of a policy changes who is invited or restricted, and is called equivalent.

The values are those of the policy's own model: one that is added is asked for here.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from schemas.enums import Field, Level, Mode, Surface
from streams.core.model.policy import (
    Consequence,
    Guards,
    Notice,
    Phase,
    Policy,
    Restriction,
    Stability,
)
from streams.lives.telling import markdown, text
from streams.lives.unled import WITHOUT_EFFECT, Question, reasons
from streams.lives.verdict import CaseVerdict, as_plain, compare
from tests.core.given import DAY, HOUR
from tests.core.given import policy as given

INVITED, RESTRICTED, TIME = Question
STRICTER, MILDER, NEITHER = CaseVerdict.STRICTER, CaseVerdict.MILDER, CaseVerdict.INCOMPARABLE
PARTS: dict[str, type] = {
    "notice": Notice,
    "phases": Phase,
    "stability": Stability,
    "consequence": Consequence,
    "consequence.surfaces": Restriction,
    "guards": Guards,
}
"""The values of a policy that have values of their own."""

IN_THE_FILE = {"exempt_labels": "fields.exempt_labels"}
Change = Callable[[Policy], Policy]


def _paths(of: type, prefix: str = "") -> Iterator[str]:
    assert is_dataclass(of)
    for it in fields(of):
        path = f"{prefix}{it.name}"
        if path in PARTS:
            yield from _paths(PARTS[path], f"{path}.")
        else:
            yield path


def _top(**values: Any) -> Change:
    return lambda it: replace(it, **values)


def _in(part: str, **values: Any) -> Change:
    return lambda it: replace(it, **{part: replace(getattr(it, part), **values)})


def _phase(**values: Any) -> Change:
    return lambda it: replace(it, phases=(replace(it.phases[0], **values),))


def _surface(level: Level, mode: Mode | None = None) -> Change:
    surfaces = {Surface.RECOMMEND_FEED: Restriction(level, mode)}
    return _in("consequence", surfaces=surfaces)


BASE = replace(
    given(stability=Stability(HOUR, 900_000, 7 * DAY, 10 * DAY, 30 * DAY)),
    notice=Notice("weibo-notice", "1", True, 3 * DAY, (DAY,)),
    guards=Guards(HOUR, 50, 200_000, 200_000, 200_000, 200_000),
    invitations_per_day=100,
    throttles_per_hour=100,
    rollout_percent=50,
)
BASE = _surface(Level.LIMITED)(BASE)
START = BASE.phases[0].starts_at or 0

CHANGES: dict[str, tuple[Change, dict[Question, CaseVerdict]]] = {
    "mode": (_top(mode=Mode.SHADOW), {INVITED: MILDER, RESTRICTED: MILDER}),
    "notice.version": (_in("notice", version="2"), {INVITED: STRICTER, RESTRICTED: STRICTER}),
    "notice.renew": (_in("notice", renew=False), {INVITED: MILDER, RESTRICTED: MILDER}),
    "notice.answer_window": (_in("notice", answer_window=4 * DAY), {TIME: MILDER}),
    "phases.name": (_phase(name="another"), {INVITED: NEITHER, RESTRICTED: MILDER}),
    "phases.followers": (_phase(followers=900), {INVITED: STRICTER, RESTRICTED: STRICTER}),
    "phases.starts_at": (_phase(starts_at=START + DAY), {INVITED: MILDER}),
    "phases.answer_by": (_phase(answer_by=START + 9 * DAY), {TIME: MILDER}),
    "phases.mode": (_phase(mode=Mode.SHADOW), {INVITED: MILDER, RESTRICTED: MILDER}),
    "covered": (_top(covered=frozenset({Field.LAW})), {INVITED: MILDER, RESTRICTED: MILDER}),
    "labels": (_top(labels={"财经": Field.FINANCE}), {INVITED: MILDER, RESTRICTED: MILDER}),
    "stability.dwell": (_in("stability", dwell=2 * HOUR), {INVITED: MILDER}),
    "stability.exit_ratio_ppm": (_in("stability", exit_ratio_ppm=950_000), {RESTRICTED: MILDER}),
    "stability.leave_after": (_in("stability", leave_after=DAY), {RESTRICTED: MILDER}),
    "stability.cool_down": (
        _in("stability", cool_down=DAY),
        {INVITED: STRICTER, RESTRICTED: STRICTER},
    ),
    "stability.max_age": (_in("stability", max_age=2 * DAY), {RESTRICTED: MILDER}),
    "consequence.surfaces.level": (_surface(Level.OFF), {RESTRICTED: STRICTER}),
    "consequence.surfaces.mode": (_surface(Level.LIMITED, Mode.SHADOW), {RESTRICTED: MILDER}),
    "consequence.on": (_in("consequence", on=frozenset({"declined"})), {RESTRICTED: MILDER}),
    "consequence.review_after": (_in("consequence", review_after=DAY), {RESTRICTED: MILDER}),
    "consequence.expires_after": (
        _in("consequence", expires_after=400 * DAY),
        {RESTRICTED: STRICTER},
    ),
    "keep_on_fall_below": (_top(keep_on_fall_below=True), {RESTRICTED: STRICTER}),
    "invitations_per_day": (_top(invitations_per_day=99), {INVITED: MILDER}),
    "throttles_per_hour": (_top(throttles_per_hour=101), {RESTRICTED: STRICTER}),
    "rollout_percent": (_top(rollout_percent=60), {INVITED: STRICTER, RESTRICTED: STRICTER}),
    "guards.window": (_in("guards", window=DAY), {INVITED: NEITHER, RESTRICTED: NEITHER}),
    "guards.minimum": (_in("guards", minimum=60), {INVITED: STRICTER, RESTRICTED: STRICTER}),
    **{
        f"guards.{it}": (_in("guards", **{it: None}), {INVITED: STRICTER, RESTRICTED: STRICTER})
        for it in ("undelivered_ppm", "overturned_ppm", "sudden_eligible_ppm", "sudden_drop_ppm")
    },
}


def test_every_value_of_a_policy_is_judged_or_has_no_effect_for_a_reason() -> None:
    known = set(_paths(Policy))
    without = {path for path in known if IN_THE_FILE.get(path, path) in WITHOUT_EFFECT}
    assert len(without) == len(WITHOUT_EFFECT), "what is named there is no value of a policy"
    assert without.isdisjoint(CHANGES)
    assert known - without == set(CHANGES)


@pytest.mark.slow
@pytest.mark.parametrize("path", CHANGES)
def test_a_change_of_a_value_is_not_equivalent(path: str) -> None:
    change, wanted = CHANGES[path]
    found = compare(BASE, change(BASE))
    verdicts = {it.question: it.verdict for it in found}
    assert {it: verdicts[it] for it in wanted} == wanted
    if any(it.reasons for it in found):
        told = [str(reason) for it in found for reason in it.reasons]
        assert all(f"  {it}" in list(text(found)) for it in told)
        page = "\n".join(markdown("weibo", [], found))
        assert all(it in page for it in told)
        assert [it["why"] for answer in found for it in as_plain(answer)["reasons"]]


def test_a_policy_that_is_off_before_and_after_invites_and_restricts_nobody() -> None:
    off = replace(BASE, mode=Mode.OFF)
    for change, _ in CHANGES.values():
        after = replace(change(off), mode=Mode.OFF)
        assert not [it for question in Question for it in reasons(off, after, question)]
