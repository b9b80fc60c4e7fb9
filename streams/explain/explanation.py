"""Puts the explanation of one account together: sentences by section."""

from dataclasses import dataclass
from typing import Any

from streams.core.model.instants import rfc3339
from streams.explain import cites, en, zh
from streams.explain.material import Material
from streams.explain.nearest import Change, Kind, Nearest, nearest
from streams.explain.sandbox import SandboxOutcome
from streams.explain.sentences import At, Deed, Language, Place, Sentence
from streams.explain.situation import Situation
from streams.explain.timeline import obedience, timeline

SECTIONS = ("now", "waits", "deferrals", "terms", "nearest", "timeline")
HEADINGS = {"en": en.HEADINGS, "zh": zh.HEADINGS}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of an account as of `now` (ms).

    `source`: the sentence on where the data comes from and how fresh it is. `sections`: by name, in
    the order of SECTIONS.
    """

    account: str
    now: int
    source: Sentence
    sections: dict[str, list[Sentence]]

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Returns the explanation as JSON of `byline explain --json`."""
        return {
            "account": self.account,
            "now": rfc3339(self.now),
            "source": self.source.as_dict(language),
            **{
                name: [it.as_dict(language) for it in found]
                for name, found in self.sections.items()
            },
        }


def explain(material: Material, now: int) -> Explanation:
    """Returns the explanation of an account at `now` (ms)."""
    sections: dict[str, list[Sentence]] = {name: [] for name in SECTIONS}
    known = material.known(now)
    if known is None:
        sections["now"].append(_absent(material, now))
    else:
        situation = Situation(material, known)
        sections["now"] += situation.holds()
        sections["now"] += obedience(material)
        sections["waits"] += situation.waits()
        sections["deferrals"] += situation.deferrals()
        sections["terms"] += situation.terms()
        sections["nearest"] += _nearest(nearest(material, now), material)
    sections["timeline"] += timeline(material)
    return Explanation(material.account, now, _source(material, now), sections)


def _absent(material: Material, now: int) -> Sentence:
    """Returns why there is no state. An index that lacks records does not show that Kafka does."""
    places = cites.of_state(material)
    if material.remains is not None:
        return Sentence("remains", {}, places)
    says: dict[str, Any] = {"account": material.account}
    if material.unreadable:
        return Sentence("unknown_unreadable", says, places)
    if material.source == "index" and material.as_of is None:
        return Sentence("unknown_part", says, places)
    if material.late(now):
        return Sentence("unknown_late", {**says, "as_of": At(material.as_of or 0)}, places)
    return Sentence("unknown", says, places)


def _source(material: Material, now: int) -> Sentence:
    if not material.whole:
        return Sentence("not_whole", {"behind": material.behind})
    if material.as_of is None:
        says = {"read": material.read, "all": material.read + material.behind}
        return Sentence("from_index_unread", says)
    as_of = At(material.as_of)
    if material.unreadable:
        return Sentence("from_kafka_unreadable", {"as_of": as_of, "count": material.unreadable})
    if material.source == "kafka":
        return Sentence("from_kafka", {"as_of": as_of})
    key = "from_index_late" if material.late(now) else "from_index"
    return Sentence(key, {"as_of": as_of, "behind": material.behind})


def _nearest(found: Nearest | None, material: Material) -> list[Sentence]:
    places = cites.of_state(material)
    if found is None:
        return [Sentence("nearest_unknown", {}, places)]
    without = found.without
    if without.at is None:
        said = [Sentence("without_nothing", {}, places)]
    else:
        said = [Sentence("without", {"at": At(without.at), "what": _what(without)}, places)]
    said += [_change(it, places) for it in found.changes]
    return said if found.changes else [*said, Sentence("nearest_none", {}, places)]


def _change(change: Change, places: tuple[Place, ...]) -> Sentence:
    says: dict[str, Any] = {}
    key = str(change.kind)
    if change.by is not None:
        says["by"] = change.by
    if change.label is not None:
        says["label"] = change.label
    if change.until is not None:
        says["until"] = At(change.until)
        key = f"{Kind.GRANT}_until"
    if change.outcome.at is None:
        return Sentence(f"change_to_nothing.{key}", says, places)
    says |= {"what": _what(change.outcome), "at": At(change.outcome.at)}
    return Sentence(f"change.{key}", says, places)


def _what(outcome: SandboxOutcome) -> tuple[Deed, ...]:
    """Returns the events of an outcome, each once, with all its surfaces."""
    found: dict[str, list[str]] = {}
    for name, _, surface, _ in outcome.events:
        found.setdefault(name, []).extend([surface] if surface else [])
    return tuple(Deed(name, tuple(surfaces)) for name, surfaces in found.items())
