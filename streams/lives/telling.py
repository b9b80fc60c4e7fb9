"""Writes the verdicts on two policies as lines for a terminal, or Markdown for a pull request."""

from collections.abc import Iterator, Sequence
from typing import Any

from streams.core.model.instants import rfc3339
from streams.lives.account import MOST_LOOKS, Fate, ImaginedAccount
from streams.lives.unled import MILDER, STRICTER, Question
from streams.lives.verdict import NOT_JUDGED, Answered, CaseVerdict, Example
from streams.policies.scalars import format_duration

MOST_EVENTS = 8
"""How many events of each example are shown."""

_TELLING = {
    Question.INVITED: ("invitation.issued", "invitation.cancelled"),
    Question.RESTRICTED: ("invitation.expired", "invitation.cancelled", "throttle."),
    Question.TIME: ("invitation.delivered", "invitation.extended"),
}
"""The events that answer a question: names, or beginnings of names."""


def in_words(account: ImaginedAccount) -> str:
    """Describes an account in a sentence."""
    said = [
        f"{account.followers} followers and the label {account.label} since"
        f" {_short(account.since)} (account id {account.account_id})"
    ]
    if account.falls_to is not None:
        length = account.falls_for
        back = " for good" if length is None else f" for {format_duration(length)}"
        said.append(f"falls to {account.falls_to} when the notice is delivered,{back}")
    if account.heard_once:
        said.append("no later reading comes")
    if account.lifted:
        said.append("an operator lifts the invitation when it is delivered")
    said.append("the owner refuses" if account.answer == "declined" else "the owner is silent")
    return "; ".join(said)


def text(answers: Sequence[Answered]) -> Iterator[str]:
    """Yields the verdicts and their examples as lines for a terminal."""
    for answer in answers:
        yield f"{answer.question}: {answer.verdict}"
        yield from (f"  {line}" for line in _left_open(answer))
        yield from (f"  {reason}" for reason in answer.reasons)
        for direction, example in _examples(answer):
            yield f"  {direction} for {in_words(example.account)}"
            yield from (f"    before: {line}" for line in _told(answer.question, example.before))
            yield from (f"    after:  {line}" for line in _told(answer.question, example.after))
    yield from _searched(answers)
    yield f"not judged: {NOT_JUDGED}"


def markdown(title: str, changes: Sequence[str], answers: Sequence[Answered]) -> Iterator[str]:
    """Yields the verdicts, changes and examples as Markdown for a pull request."""
    yield f"### {title}"
    yield ""
    yield "| question | the second policy is |"
    yield "|---|---|"
    for answer in answers:
        yield f"| {answer.question} | **{answer.verdict}** |"
    yield ""
    yield from (f"* `{change}`" for change in changes)
    if not changes:
        yield "Nothing changes."
    said = [
        f"* {answer.question}: {line}"
        for answer in answers
        for line in (*_left_open(answer), *answer.reasons)
    ]
    said += [f"* {line}" for line in _searched(answers)]
    yield from ["", *said] if said else []
    for answer in answers:
        for direction, example in _examples(answer):
            yield ""
            yield f"**{answer.question}, {direction}**: {in_words(example.account)}"
            yield ""
            yield "| before | after |"
            yield "|---|---|"
            before, after = (
                "<br>".join(_told(answer.question, it)) for it in (example.before, example.after)
            )
            yield f"| {before} | {after} |"
    yield ""
    yield f"Not judged: {NOT_JUDGED}."


def _left_open(answer: Answered) -> Iterator[str]:
    """Yields what is not known, if a search that was cut short leaves something open."""
    if answer.verdict is not CaseVerdict.NOT_SHOWN:
        return
    if STRICTER in answer.directions:
        yield "stricter for some; whether it is milder for others is not known"
    elif MILDER in answer.directions:
        yield "milder for some; whether it is stricter for others is not known"
    else:
        yield "no difference was found; whether there is one is not known"


def _searched(answers: Sequence[Answered]) -> Iterator[str]:
    """Yields how far the search went, if a verdict is left open by that."""
    left = [it.searched for it in answers if it.verdict is CaseVerdict.NOT_SHOWN]
    if not left:
        return
    tried, regions, cut = left[0]
    if tried < regions:
        yield (
            f"searched: {tried:,} accounts of the {regions:,} that stand for all;"
            f" `byline policy diff --accounts {regions}` tries every one"
        )
    if cut:
        yield f"{cut:,} lives were followed only to the {MOST_LOOKS}th time that a timer woke them"


def _examples(answer: Answered) -> Iterator[tuple[str, Example]]:
    for direction, example in (("stricter", answer.stricter), ("milder", answer.milder)):
        if example is not None:
            yield direction, example


def _told(question: Question, fate: Fate) -> list[str]:
    events = [it for it in fate.events if str(it["event"]).startswith(_TELLING[question])]
    lines = [_line(it) for it in events[:MOST_EVENTS]]
    if len(events) > MOST_EVENTS:
        lines.append(f"and {len(events) - MOST_EVENTS} more")
    return lines or ["nothing"]


def _line(event: dict[str, Any]) -> str:
    words = [event["decided_at"], event["event"], event.get("surface"), event["reason"]]
    words += [event["mode"], event.get("level")]
    for name in ("deadline_at", "expires_at"):
        if name in event:
            words.append(f"{name} {event[name] or 'none'}")
    return " ".join(str(word) for word in words if word is not None)


def _short(instant: int) -> str:
    return rfc3339(instant).replace(".000Z", "Z")
