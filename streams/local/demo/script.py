"""The demo's day as data: `stories.yaml` and `day.yaml`, checked while they are read.

A storyline is the script of one account: what is sent (`does`) and which events follow (`then`).
A step has the fields of one input, of which some have defaults, and `at`: seconds of the day, or
seconds after an event about the account (`issued+0.3`; `issued#2+0.3`: after the second one;
`shadow.delivered+0.8`: after a shadow event). `crosses: N` stands for a label and a reading,
`invited: N` also for the notifier's receipt. Marks stand for values known later: `$covered` and
`$exempt` (labels of the policy), `$invitation` (its id), `$now+2.5`, `$deadline-0.5` (instants).
An event is written `issued:over_line`; equal ones in a row (of several surfaces) are written once,
and one with a `?` may be missing. Words of `day.yaml` stand for several events.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator
from ruamel.yaml import YAML

from schemas.enums import Event, Mode, Refused, Surface
from schemas.events import EVENT_REASONS
from schemas.inputs import INPUT_MODELS, InputName

EVENTS = {event.value.split(".")[1]: event for event in Event}
CONTROL = {"control_id": "", "actor": "desk-3", "reason": "operator_request"}
KINDS: Mapping[str, tuple[InputName, str, Mapping[str, Any]]] = {
    "followers": ("follower-counts", "observed_at", {"cause": "organic"}),
    "category": ("category-changes", "observed_at", {"source": "verified"}),
    "change": ("account-changes", "observed_at", {}),
    "outcome": ("notice-receipts", "occurred_at", {"invitation_id": "$invitation"}),
    "answer": ("consent-answers", "occurred_at", {"invitation_id": "$invitation"}),
    "command": ("controls", "issued_at", CONTROL),
    "switch": ("switches", "issued_at", {"actor": "desk-1", "reason": "test"}),
}
"""By the field that tells an input's kind: its topic, its field for the time, and defaults."""
WORDS = ("answer", "outcome", "change", "command", "cause", "switch")
THROTTLES = ("applied", "renewed", "lifted")
_AT = re.compile(r"(shadow\.)?([a-z]+)(?:#(\d))?\+([\d.]+)")
_MARK = re.compile(r"\$(covered|exempt|invitation|now|deadline)([+-][\d.]+)?")


class StoryStep(NamedTuple):
    """One input: sent `seconds` after the `nth` event of a type; if `event` is None, of the day.

    `fields`: None is a tombstone.
    """

    event: Event | None
    nth: int
    shadow: bool
    seconds: float
    topic: InputName
    fields: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """The kind of input: topic and enum value, for instance `consent-answers granted`."""
        fields = {"cause": "none"} if self.fields is None else self.fields
        return " ".join((self.topic, *(fields[name] for name in WORDS if name in fields)))


def _step(at: float | str, **fields: Any) -> StoryStep:
    kind = next((name for name in KINDS if name in fields), "")
    when = _AT.fullmatch(f"{at}" if isinstance(at, str) else f"day+{at}")
    if not kind or when is None or when[2] not in ("day", *EVENTS):
        raise ValueError(f"no step: at {at} {fields}")
    topic, time, defaults = KINDS[kind]
    filled = {time: "$now", **defaults, **fields}
    sent = {name: it for name, it in filled.items() if it is not None}
    trigger = EVENTS.get(when[2]), int(when[3] or 1), bool(when[1]), float(when[4])
    return StoryStep(*trigger, topic, sent if kind in sent else None)


def _steps(raw: Any) -> Any:
    """Makes the steps of `does`; the short forms become several."""
    steps: list[StoryStep] = []
    for one in raw:
        reading = one.get("crosses") or one.get("invited")
        if reading:
            steps += _step(one["at"], category="$covered"), _step(one["at"], followers=reading)
        else:
            steps.append(_step(**one))
        if "invited" in one:
            steps.append(_step("issued+0.3", outcome="delivered"))
    return tuple(steps)


def _spelt(raw: Any, info: ValidationInfo) -> Any:
    """Replaces short names by events. Raises an error for an unknown event or reason."""
    found: list[str] = []
    for one in raw:
        if ":" not in one:
            found += _spelt((info.context or {})[one], info)
            continue
        event, reason = one.removesuffix("?").split(":")
        if event not in EVENTS or reason not in EVENT_REASONS[EVENTS[event]]:
            raise ValueError(f"no event: {one}")
        found.append(one)
    return tuple(found)


Expected = Annotated[tuple[str, ...], BeforeValidator(_spelt)]


class ScriptPart(BaseModel):
    """A part of the script: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Storyline(ScriptPart):
    """The script of one account's day. `tells`: a description for the display.

    `live` and `shadow`: the expected events. `named`: it is not one of the crowd.
    """

    name: str
    platform: str
    tells: str = "is one of many"
    does: Annotated[tuple[StoryStep, ...], BeforeValidator(_steps)] = ()
    live: Expected = ()
    shadow: Expected = ()
    account_id: str = "1"
    named: bool = True

    @property
    def key(self) -> str:
        """The account's Kafka key."""
        return f"{self.platform}:{self.account_id}"

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        for index, step in enumerate(self.does):
            model, value = (
                INPUT_MODELS[step.topic],
                self.value(index, _sample),
            )
            if value is not None:
                model.model_validate(value)
                if unknown := value.keys() - model.model_fields.keys():
                    raise ValueError(f"{step.topic} has no {', '.join(unknown)}")
        return self

    def value(self, index: int, known: Callable[[str, float], object]) -> dict[str, object] | None:
        """Returns the value of a step's input; None: a tombstone.

        `known`: returns the value of a mark (without `$`), of an instant so many seconds away.
        """
        step = self.does[index]
        if step.fields is None:
            return None
        found: dict[str, object] = {"platform": self.platform, "account_id": self.account_id}
        if step.topic == "switches":
            found = {"scope": self.platform}
        for name, field in step.fields.items():
            mark = _MARK.fullmatch(str(field))
            found[name] = known(mark[1], float(mark[2] or 0)) if mark else field
        if "control_id" in found:
            found["control_id"] = f"demo-{self.name}-{index}"
        return found


def _sample(mark: str, _: float) -> object:
    return "2026-11-22T12:00:00Z" if mark in ("now", "deadline") else mark


class PlatformScript(ScriptPart):
    """What `day.yaml` says of one platform; its comments explain each key."""

    mode: Mode = Mode.ENFORCE
    stability: Mapping[str, str] = {}
    phase_at: float | None = None
    answer_by: float | None = None
    shadow: Surface | None = None
    crowd: tuple[float, float] = (1.0, 9.0)
    instead: Mapping[str, str] = {}
    words: Mapping[str, list[str]] = {}


class CrowdPart(ScriptPart):
    """How `count` accounts of the crowd behave: a story with names in braces."""

    count: int
    does: list[dict[str, Any]] = []
    then: list[str] = []


class SpoiltRecord(ScriptPart):
    """A record to refuse, or to accept without effect; `day.yaml` explains each key."""

    base: str
    values: Mapping[str, Any] = {}
    without: str = ""
    key: str = "weibo:{account}"
    text: str | None = None
    reason: Refused | None = None
    elsewhere: bool = False


class DayScript(ScriptPart):
    """The whole of `day.yaml`, with the stories of `stories.yaml` as they are written."""

    words: Mapping[str, list[str]]
    policy: Mapping[str, Any]
    platforms: Mapping[str, PlatformScript]
    arrives: list[dict[str, Any]]
    crowd: Mapping[str, CrowdPart]
    base: Mapping[str, Mapping[str, Any]]
    garbage: list[SpoiltRecord]
    stories: Mapping[str, Mapping[str, dict[str, Any]]]

    def story(self, platform: str, name: str, **raw: Any) -> Storyline:
        """Makes a story; what follows (`then`) is live, shadow or both, by the platform's modes."""
        here = self.platforms[platform]
        then = raw.pop("then", ())
        made = {**raw, "name": name, "platform": platform, "live": then, "shadow": then}
        story = Storyline.model_validate(made, context={**self.words, **here.words})
        if here.mode == Mode.SHADOW:
            return story.model_copy(update={"live": ()})
        restricts = [token for token in story.live if token.split(":")[0] in THROTTLES]
        return story.model_copy(update={"shadow": tuple(restricts) if here.shadow else ()})


@cache
def script() -> DayScript:
    """Reads and checks both files. Raises ValidationError, which says where a fault is."""
    yaml, here = YAML(typ="safe", pure=True), Path(__file__).parent
    day, stories = (yaml.load(here / f"{name}.yaml") for name in ("day", "stories"))
    return DayScript.model_validate({**day, "stories": stories})
