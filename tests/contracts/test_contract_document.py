"""The lists of schemas/CONTRACT.md are those of the code: no word more, none fewer."""

import re
from pathlib import Path

from schemas.enums import (
    ADVERSE_EVENTS,
    Change,
    Command,
    ControlReason,
    Deferral,
    Event,
    Field,
    Refused,
    Surface,
    Switch,
)
from schemas.events import EVENT_MODELS, EVENT_REASONS, EVENT_TOPIC
from schemas.inputs import INPUT_MODELS, ThrottleAck
from schemas.topics import INPUTS, TOPICS
from streams.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "schemas" / "CONTRACT.md"
COMMON = (
    "event_id, event, sequence, platform, account_id, cycle, invitation_id, mode, policy_version"
)


def section(heading: str) -> str:
    """The text under a heading, up to the next one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return str(body)


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables under a heading, without their heads."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    heads = {index - 1 for index, cells in enumerate(table) if set("".join(cells)) <= set("-|")}
    return [cells for index, cells in enumerate(table) if not {index, index - 1} & heads]


def marked(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def test_the_topics_are_those_of_the_wire_in_their_order() -> None:
    named = [name for cells in rows("Topics") for name in marked(cells[0])]
    assert named[: len(INPUTS)] == [topic.name for topic in INPUTS]
    told = {name.replace("<application id>-", "") for name in named}
    assert told == {topic.name for topic in TOPICS}


def test_the_inputs_have_the_fields_of_their_models() -> None:
    models = {**INPUT_MODELS, "throttle-acks": ThrottleAck}
    told = {marked(cells[0])[0]: cells[1] for cells in rows("Inputs")}
    assert set(told) == set(models)
    for name, model in models.items():
        outside = re.sub(r"\([^)]*\)", "", told[name].split(". ")[0])
        fields = re.findall(r"`(\w+)`(\??)", outside)
        assert {field for field, _ in fields} == set(model.model_fields), name
        for field, optional in fields:
            assert bool(optional) is not model.model_fields[field].is_required(), f"{name}.{field}"


def test_the_closed_words_of_inputs_are_told() -> None:
    text = section("Inputs")
    for words in (Change, Command, ControlReason, Switch):
        assert {str(word) for word in words} <= set(marked(text)), words.__name__


def test_every_reason_of_a_dead_letter_is_told() -> None:
    told = [marked(cells[0])[0] for cells in rows("What is refused")]
    assert sorted(told) == sorted(Refused)


def test_the_events_have_the_reasons_and_fields_of_their_models() -> None:
    common = set(
        re.split(r"`, *\n?`", re.findall(r"Common fields: `(.*?)`\.", section("Outputs"), re.S)[0])
    )
    topic, told = "", {}
    for first, event, reasons, further in rows("Outputs"):
        topic = re.split(r"[ ,]", first)[0] or topic
        outside = re.sub(r"\([^)]*\)", "", further)
        told[Event(marked(event)[0])] = (topic, reasons.split(", "), set(marked(outside)))
    assert set(told) == set(Event)
    for event, (topic, reasons, fields) in told.items():
        assert topic == EVENT_TOPIC[event], event
        assert reasons == list(EVENT_REASONS[event]), event
        assert fields | common == set(EVENT_MODELS[event].model_fields), event


def test_the_surfaces_fields_and_adverse_events_are_told() -> None:
    outputs = " ".join(section("Outputs").split())
    for name, words in (("Surfaces", Surface), ("Fields", Field)):
        (said,) = re.findall(rf"\*\*{name}\*\*: ([^.]*)\.", outputs)
        assert said.split(", ") == [str(word) for word in words]
    (adverse,) = [cells[1] for cells in rows("Words") if cells[0] == "adverse"]
    assert set(marked(adverse)) == {str(event) for event in ADVERSE_EVENTS}


def test_every_ground_of_deferring_is_told() -> None:
    said = section("Deferring").replace("tripped guard", "guard").lower()
    words = {Deferral.APPEAL_UPHELD: "upheld appeal", Deferral.STALE: "stale facts"}
    for ground in Deferral:
        assert words.get(ground, str(ground)) in said, ground


def test_the_settings_that_are_told_exist() -> None:
    told = {name for cells in rows("Commands and settings") for name in marked(cells[0])}
    assert len(told) > 15
    assert {name.lower() for name in told} <= set(Settings.model_fields)
