"""Writes a report as sentences and small tables, for the terminal and the HTML page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.enums import MAX_CATEGORY_LENGTH

Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]
"""Title, headings, rows."""
_MOST_LABELS = 5
_MOST_GAPS = 5
_MOST_POLICIES = 7


def first_line(report: Mapping[str, Any]) -> str:
    """Describes the data in one sentence: accounts, readings, period, gaps, unknown labels."""
    it, history = report["carried"], report["history"]
    about = "" if it["accounts_exact"] else "about "
    left = ", ".join(f"{n:,} {name}" for name, n in it["left_out"].items())
    return (
        f"The data carry {it['readings']:,} readings of {about}{it['accounts']:,} accounts, "
        f"{it['first'][:10]} to {it['last'][:10]} ({it['rows']:,} rows; left out:"
        f" {left or 'none'}); {it['accounts_that_matter']:,} accounts with"
        f" {it['readings_that_matter']:,} readings matter to the policies; {_gaps(it)};"
        f" {_labels(it)}{_stated(it, history)}{_refused(report['policies'])}."
    )


def _stated(it: Mapping[str, Any], history: Mapping[str, Any]) -> str:
    labels, without = it.get("labels"), it.get("times_without_offset")
    said = ""
    if labels and labels["rows"]:
        left = ", ".join(f"{n:,} {name}" for name, n in labels["left_out"].items()) or "none"
        said = (
            f"; {labels['rows']:,} rows of labels{' up to the end' * bool(history.get('to'))} (left"
            f" out: {left}), {labels['of_accounts_that_matter']:,} of accounts that matter"
        )
    if labels and labels.get("too_long_in_readings"):
        said += (
            f"; {labels['too_long_in_readings']:,} readings of these with a label of over"
            f" {MAX_CATEGORY_LENGTH} characters, which changes no label"
        )
    if without:
        # They are counted while the files are read, before the rows of a span are known.
        whole = " of the whole files" if history.get("from") or history.get("to") else ""
        said += f"; {without:,} times{whole} state no offset and are taken as UTC"
    return said


def _refused(policies: Sequence[Mapping[str, Any]]) -> str:
    """Says how many inputs the core itself refused; its tables have the reasons."""
    counts = [
        (policy["policy"], sum(n for *_, n in policy.get("refused_by_the_core", ())))
        for policy in policies
    ]
    named = [f"{n:,} under {name}" for name, n in counts if n]
    more = f" and {len(named) - _MOST_POLICIES} more" if len(named) > _MOST_POLICIES else ""
    said = f"; the core itself refused inputs: {', '.join(named[:_MOST_POLICIES])}{more}"
    return said if named else ""


def _gaps(it: Mapping[str, Any]) -> str:
    named = [
        f"{first} to {last} ({platform})" if first != last else f"{first} ({platform})"
        for platform, gaps in it["gaps"].items()
        for first, last in gaps
    ]
    if not named:
        return "no day without a reading"
    more = f" and {len(named) - _MOST_GAPS} more" if len(named) > _MOST_GAPS else ""
    return f"no reading on {', '.join(named[:_MOST_GAPS])}{more}"


def _labels(it: Mapping[str, Any]) -> str:
    unknown = [
        (n, label, platform) for platform, rows in it["unknown_labels"].items() for label, n in rows
    ]
    if not unknown:
        return "no unknown label"
    unknown.sort(key=lambda one: (-one[0], one[1]))
    named = ", ".join(f"{label} ({n:,})" for n, label, _ in unknown[:_MOST_LABELS])
    more = f" and {len(unknown) - _MOST_LABELS} more" if len(unknown) > _MOST_LABELS else ""
    return f"{len(unknown)} unknown labels, by accounts: {named}{more}"


def headline(policy: Mapping[str, Any]) -> str:
    """Returns the numbers of one policy in a sentence."""
    stages, begins = policy["stages"], policy["begins_later"]
    if begins:
        return (
            f"{policy['policy']} ({policy['platform']} v{policy['version']}, {policy['mode']}):"
            f" its first phase begins on {begins[:10]}, after all of the history: nobody can be"
            " invited. A copy of it with an earlier `from` says whom it would have met"
        )
    return (
        f"{policy['policy']} ({policy['platform']} v{policy['version']}, {policy['mode']}):"
        f" {policy['invited_accounts']:,} accounts invited, {stages['consent.granted']:,} grants,"
        f" {stages['consent.declined']:,} refusals, {stages['invitation.expired']:,} expired,"
        f" {policy['restricted_accounts']:,} restricted at the end"
    )


def tables(policy: Mapping[str, Any]) -> Iterator[Table]:
    """Yields the tables of one policy; none is wider than 76 columns."""
    yield (
        "Funnel",
        ("mode", "phase", "field", "step", "events"),
        [(mode, phase, field, step, f"{n:,}") for mode, phase, field, step, n in policy["funnel"]],
    )
    near = policy["near_the_line"]
    yield (
        f"Accounts near the line of {near['line']:,}",
        ("highest reading", "accounts", ""),
        [
            (_percent(step), f"{n:,}", _bar(n, near["percent_and_accounts"]))
            for step, n in near["percent_and_accounts"]
        ],
    )
    ups = policy["upward_crossings"]
    if ups:
        yield "Flapping: upward crossings of the line", ("times", "accounts"), _grouped(ups)
    yield (
        "Load against caps",
        ("what", "cap", "busiest", "in it", "windows at cap"),
        [
            (
                f"{name} a {it['window']}",
                f"{it['cap']:,}",
                (it["busiest"] or "–")[:16],
                f"{it['most']:,}",
                str(sum(n >= it["cap"] for _, n in it["windows"])),
            )
            for name, it in policy["load"].items()
        ],
    )
    if policy["deferred"]:
        yield (
            "Held back",
            ("event", "ground", "times"),
            [(event, ground, f"{n:,}") for event, ground, n in policy["deferred"]],
        )
    if policy.get("refused_by_the_core"):
        yield (
            "Refused by the core",
            ("topic", "reason", "inputs"),
            [(topic, reason, f"{n:,}") for topic, reason, n in policy["refused_by_the_core"]],
        )
    if policy["restricted"]:
        yield (
            "Restricted at the end",
            ("surface", "level", "mode", "accounts"),
            [(*map(str, names), f"{n:,}") for *names, n in policy["restricted"]],
        )


def _percent(step: int) -> str:
    return f"{step} % and more" if step >= 120 else f"{step} to {step + 5} %"


def _bar(n: int, rows: list[list[int]]) -> str:
    return "#" * max(1, round(30 * n / max(count for _, count in rows)))


def _grouped(ups: Mapping[str, int]) -> list[tuple[str, ...]]:
    groups = {"1": 0, "2 to 4": 0, "5 and more": 0}
    for times, n in ups.items():
        groups["1" if times == "1" else "2 to 4" if int(times) < 5 else "5 and more"] += n
    return [(name, f"{n:,}") for name, n in groups.items()]
