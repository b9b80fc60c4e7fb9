"""Compares the terms fixed at an invitation's issue with those of the present policy."""

from collections.abc import Iterable
from typing import NamedTuple

from streams.core.model.account import Cycle
from streams.core.model.policy import Policy
from streams.core.rules.throttle import in_order
from streams.operate.policy_show import ratio_words
from streams.policies.scalars import format_duration, format_instant


class TermRow(NamedTuple):
    """One term: the key of its name in words.py, as pinned, and as it is now."""

    name: str
    pinned: str
    present: str

    @property
    def same(self) -> bool:
        """Whether the present policy says the same."""
        return self.pinned == self.present


def compared(cycle: Cycle, policy: Policy | None) -> list[TermRow]:
    """Returns the terms of a cycle beside the policy's; without a policy nothing is beside them."""
    terms = cycle.terms
    present = {} if policy is None else _present(policy, terms.phase)
    ratio = terms.exit_ratio_ppm
    pinned = {
        "version": str(terms.policy_version),
        "digest": terms.policy_digest[:12],
        "phase": terms.phase,
        "line": f"{terms.line:,}",
        "exit_ratio": "–" if ratio is None else ratio_words(ratio),
        "leave_after": "–" if ratio is None else format_duration(terms.leave_after),
        "max_age": _length(terms.max_age),
        "notice": f"{terms.notice_id} {terms.notice_version}",
        "answer_window": _length(terms.answer_window),
        "answer_by": "–" if terms.answer_by is None else format_instant(terms.answer_by),
        "reminders": ", ".join(map(format_duration, terms.reminders)) or "–",
        "surfaces": _words(f"{it}: {level}" for it, (level, _) in in_order(terms.surfaces)),
        "on": _words(sorted(terms.on)),
        "expires_after": format_duration(terms.expires_after),
        "on_fall_below": "keep" if terms.keep else "close",
    }
    return [TermRow(name, value, present.get(name, "–")) for name, value in pinned.items()]


def _present(policy: Policy, phase_name: str) -> dict[str, str]:
    phase = next((it for it in policy.phases if it.name == phase_name), None)
    surfaces = policy.consequence.surfaces or {}
    answer_by = None if phase is None else phase.answer_by
    return {
        "version": str(policy.version),
        "digest": policy.digest[:12],
        "phase": "–" if phase is None else phase.name,
        "line": "–" if phase is None else f"{phase.followers:,}",
        "exit_ratio": ratio_words(policy.stability.exit_ratio_ppm),
        "leave_after": format_duration(policy.stability.leave_after),
        "max_age": _length(policy.stability.max_age),
        "notice": f"{policy.notice.id} {policy.notice.version}",
        "answer_window": _length(policy.notice.answer_window),
        "answer_by": "–" if answer_by is None else format_instant(answer_by),
        "reminders": ", ".join(map(format_duration, policy.notice.reminders)) or "–",
        "surfaces": _words(f"{it}: {how.level}" for it, how in in_order(surfaces)),
        "on": _words(sorted(policy.consequence.on)),
        "expires_after": format_duration(policy.consequence.expires_after),
        "on_fall_below": "keep" if policy.keep_on_fall_below else "close",
    }


def _length(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else format_duration(milliseconds)


def _words(found: Iterable[object]) -> str:
    return ", ".join(map(str, found)) or "–"
