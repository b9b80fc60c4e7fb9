"""The generated files: up to date, complete, true to the models, and never a break unsaid."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import export
from schemas.compatibility import breaks
from schemas.events import EVENT_MODELS, EVENT_REASONS
from schemas.inputs import INPUT_MODELS, ThrottleAck
from schemas.records import RECORD_MODELS
from schemas.topics import TOPICS
from streams.core.inputs.plain import Refusal
from tests.contracts.reference import by_the_core

ROOT = Path(__file__).parents[2]
FILES = export.read()
EXAMPLES = [path for path in FILES if path.startswith("examples/")]
SCHEMAS = [path for path in FILES if path.startswith(("inputs/", "events/", "records/"))]
STATEMENT = "statement-of-reasons.v1.json"


def test_the_files_are_what_would_be_generated() -> None:
    assert export.differences(FILES) == [], "python -m schemas.export writes them anew"


def test_each_difference_is_said() -> None:
    changed = {**FILES, "orphan.json": "", SCHEMAS[0]: "{}"}
    del changed["asyncapi.json"]
    assert export.differences(changed) == [
        "asyncapi.json is missing",
        f"{SCHEMAS[0]} is old",
        "orphan.json is nothing's",
    ]


def test_there_is_a_schema_for_every_model() -> None:
    assert set(SCHEMAS) == {
        *(f"inputs/{name}.json" for name in (*INPUT_MODELS, export.ACKS)),
        *(f"events/{event}.v1.json" for event in EVENT_MODELS),
        *(f"records/{kind}.json" for kind in (*RECORD_MODELS, "dead-letter", "settlement")),
    }
    assert set(export.schemas()) - set(SCHEMAS) == {STATEMENT, *export.FILES_OF_PEOPLE}
    for path in export.FILES_OF_PEOPLE:
        Draft202012Validator.check_schema(json.loads(FILES[path]))
    Draft202012Validator.check_schema(json.loads(FILES[STATEMENT]))


def test_the_format_of_times_is_the_only_one() -> None:
    """Checkers of others are not there: tests/conftest.py takes away that of `iri`."""
    found = {name for text in FILES.values() for name in re.findall(r'"format": *"([^"]*)"', text)}
    assert found == {"date-time"}


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_schema_is_one_and_has_an_example(path: str) -> None:
    Draft202012Validator.check_schema(json.loads(FILES[path]))
    assert any(export.schema_of(example) == path for example in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_is_one_of_its_schema(path: str) -> None:
    schema = json.loads(FILES[export.schema_of(path)])
    example = json.loads(FILES[path])
    Draft202012Validator(schema).validate(example)
    for field in schema["required"]:
        broken = {key: value for key, value in example.items() if key != field}
        assert not Draft202012Validator(schema).is_valid(broken), field


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.startswith("examples/inputs")])
def test_an_example_of_an_input_is_taken_by_the_core(path: str) -> None:
    name = path.split("/")[2]
    if name == export.ACKS:
        ThrottleAck.model_validate_json(FILES[path])
        return
    taken = by_the_core(name, FILES[path].encode())  # type: ignore[arg-type]
    assert not isinstance(taken, Refusal), taken


def test_every_event_has_an_example_for_every_reason() -> None:
    for event, reasons in EVENT_REASONS.items():
        for reason in reasons:
            example = json.loads(FILES[f"examples/events/{event}.v1/{reason}.json"])
            EVENT_MODELS[event].model_validate(example)
            assert (example["event"], example["reason"]) == (event, reason)


# ---- AsyncAPI ----------------------------------------------------------------------------------

DOCUMENT = json.loads(FILES["asyncapi.json"])


def references(value: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        inner = [ref for one in value.values() for ref in references(one)]
        return [value["$ref"], *inner] if "$ref" in value else inner
    return [ref for one in value for ref in references(one)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        if reference.startswith("./"):
            assert reference.removeprefix("./") in FILES
            continue
        place = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_public_topic_is_a_channel_with_its_kafka_settings() -> None:
    private = {"changelog", "policies"}
    public = {topic.name: topic for topic in TOPICS if topic.role not in private}
    assert set(DOCUMENT["channels"]) == set(public)
    assert DOCUMENT["asyncapi"] == "3.0.0"
    for name, topic in public.items():
        kafka = DOCUMENT["channels"][name]["bindings"]["kafka"]
        assert kafka["topic"] == DOCUMENT["channels"][name]["address"] == f"byline.{name}"
        assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
        assert kafka["topicConfiguration"].get("retention.ms") == topic.retention_ms
    actions = {
        one["channel"]["$ref"].split("/")[-1]: one for one in DOCUMENT["operations"].values()
    }
    assert set(actions) == set(public)
    for name, operation in actions.items():
        assert (operation["action"] == "receive") is (public[name].role in ("input", "acks"))


def test_every_event_names_its_cloudevents_headers() -> None:
    for event in EVENT_MODELS:
        headers = DOCUMENT["components"]["messages"][event]["headers"]
        assert headers["properties"]["ce_type"]["const"] == f"byline.{event}.v1"
        assert "ce_id" in headers["required"]


# ---- compatibility -----------------------------------------------------------------------------


def changed(path: str, change: Any) -> list[str]:
    """What a change to a schema breaks."""
    before = json.loads(FILES[path])
    after = copy.deepcopy(before)
    change(after)
    return breaks(before, after, path.startswith("inputs/"))


def _drop(schema: dict[str, Any], field: str) -> None:
    del schema["properties"][field]
    schema["required"] = [name for name in schema["required"] if name != field]


INPUT, EVENT = "inputs/controls.json", "events/throttle.applied.v1.json"


def test_no_change_breaks_nothing_and_more_is_welcome() -> None:
    for path in SCHEMAS:
        assert changed(path, lambda schema: None) == []
        assert changed(path, lambda schema: schema["properties"].update(more={})) == []
    assert changed(INPUT, lambda schema: schema["$defs"]["Command"]["enum"].append("new")) == []


@pytest.mark.parametrize("path", SCHEMAS)
def test_taking_any_field_away_breaks(path: str) -> None:
    for field in json.loads(FILES[path])["properties"]:
        broken = changed(path, lambda schema, field=field: _drop(schema, field))
        assert f".{field} is gone" in broken


@pytest.mark.parametrize("path", SCHEMAS)
def test_taking_any_word_of_a_closed_list_away_breaks(path: str) -> None:
    for name, one in json.loads(FILES[path]).get("$defs", {}).items():
        for place, word in enumerate(one.get("enum", [])):
            broken = changed(
                path,
                lambda schema, name=name, place=place: schema["$defs"][name]["enum"].pop(place),
            )
            assert any("no longer has the words" in what and word in what for what in broken)


def test_a_statement_that_says_less_breaks() -> None:
    assert changed(STATEMENT, lambda schema: _drop(schema, "redress")) != []
    before = {path: text for path, text in FILES.items() if path != STATEMENT}
    more = json.loads(FILES[STATEMENT])
    more["properties"]["more"] = {"type": "string"}
    told = export.breakages({**before, STATEMENT: json.dumps(more)})
    assert told == [f"{STATEMENT}: .more is gone"]


def test_demanding_more_of_an_input_breaks() -> None:
    assert changed(INPUT, lambda schema: schema["required"].append("until")) == [
        ".until is now required"
    ]
    narrower = {"maximum": 5}
    told = changed(
        "inputs/follower-counts.json",
        lambda schema: schema["properties"]["followers"].update(narrower),
    )
    assert told == [".followers is narrower: maximum 10000000000 became 5"]


def test_promising_less_of_an_output_breaks() -> None:
    assert changed(EVENT, lambda schema: schema["required"].remove("expires_at")) == [
        ".expires_at may now be absent"
    ]


def test_another_type_breaks() -> None:
    told = changed(EVENT, lambda schema: schema["properties"]["sequence"].update(type="string"))
    assert told == [".sequence no longer takes integer", ".sequence may now be string"]


def test_a_break_is_not_written_unless_it_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(FILES)
    schema = json.loads(before[EVENT])
    schema["properties"]["gone"] = {"type": "string"}
    before[EVENT] = json.dumps(schema)
    monkeypatch.setattr(export, "read", lambda: before)
    monkeypatch.setattr(export, "write", lambda: 0)
    assert export.main([]) == 1
    assert f"breaks: {EVENT}: .gone is gone" in capsys.readouterr().err
    assert export.main(["--breaking"]) == 0
    assert export.main(["--check"]) == 1
    assert "is old" in capsys.readouterr().err


def test_nothing_breaks_who_keeps_to_the_last_commit() -> None:
    """What is committed is what others were told; the working tree may only add to it."""

    def git(*arguments: str) -> str:
        told = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if told.returncode:
            pytest.skip(f"no git history to compare with: {told.stderr.strip()[:80]}")
        return told.stdout

    folder = "schemas/generated/"
    paths = git("ls-tree", "-r", "--name-only", "HEAD", folder).splitlines()
    committed = {
        path.removeprefix(folder): git("show", f"HEAD:{path}")
        for path in paths
        if not path.startswith(f"{folder}examples/")
    }
    assert export.breakages(committed) == []
