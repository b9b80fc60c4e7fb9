"""Finds what is allowed in a policy but is probably a mistake. Warnings refuse nothing."""

from collections import defaultdict
from collections.abc import Iterator

from schemas.enums import Field, Mode
from streams.core.model.labels import folded_label
from streams.core.model.policy import Policy


def warnings(policy: Policy) -> list[str]:
    """Returns one sentence for each probable mistake, with what to do."""
    return [
        *_uncovered(policy),
        *_without_guards(policy),
        *_without_ratio(policy),
        *_alike(policy),
        *_no_reference(policy),
    ]


def _no_reference(policy: Policy) -> Iterator[str]:
    reference = policy.impact_assessment
    if reference is not None and not reference.isascii():
        yield (
            "impact_assessment: it stands in the statement of every restriction, and no name of a"
            " person may; write the number or the address of the document"
        )


def _uncovered(policy: Policy) -> Iterator[str]:
    """Yields one sentence with the labels that are mapped to a field that is not covered."""
    if policy.covered is None:
        return
    by_field: dict[Field, list[str]] = defaultdict(list)
    for label, field in policy.labels.items():
        if field not in policy.covered:
            by_field[field].append(label)
    if by_field:
        named = ", ".join(
            f"{field} ({', '.join(sorted(labels))})" for field, labels in sorted(by_field.items())
        )
        yield (
            f"fields.labels: nobody is invited for what is not covered: {named};"
            " add such a field to fields.covered, or move its labels to exempt_labels"
        )


def _without_guards(policy: Policy) -> Iterator[str]:
    if policy.mode is Mode.ENFORCE and policy.guards is None:
        yield (
            "guards: enforce without guards: no rate of bounces or appeals stops it by itself;"
            " add guards, as the shipped policies have them"
        )


def _without_ratio(policy: Policy) -> Iterator[str]:
    its = policy.guards
    if its is None:
        return
    ratios = (its.undelivered_ppm, its.overturned_ppm, its.sudden_eligible_ppm, its.sudden_drop_ppm)
    if all(ratio is None for ratio in ratios):
        yield (
            "guards: a window and a minimum without any ratio guard nothing; add undelivered_ratio"
            " or overturned_ratio, as the shipped policies have them, or leave guards out"
        )


def _alike(policy: Policy) -> Iterator[str]:
    """Yields labels that differ only in spaces or case. The loader refuses those equal in NFKC."""
    seen: dict[str, str] = {}
    for label in sorted((*policy.labels, *policy.exempt_labels)):
        bare = "".join(folded_label(label).split()).casefold()
        other = seen.setdefault(bare, label)
        if other == label:
            continue
        same = policy.labels.get(label) == policy.labels.get(other)
        more = "" if same else ", and they mean different things"
        yield (
            f"fields: the labels {other!r} and {label!r} differ in spaces or case alone{more};"
            " keep the one that the platform writes"
        )
