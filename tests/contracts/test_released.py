"""What a release told others still holds: schemas/released/ against what is generated now."""

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas import asyncapi, export

ROOT = Path(__file__).parents[2]
RELEASES = export.releases()
CONTROLS, READINGS = "inputs/controls.json", "inputs/follower-counts.json"
APPLIED = "events/throttle.applied.v1.json"


def test_the_releases_are_kept_and_the_newest_is_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert list(RELEASES) == ["0.1.0", version]
    for told in RELEASES.values():
        assert {CONTROLS, READINGS, APPLIED, export.ASYNCAPI} <= told.keys()


@pytest.mark.parametrize("version", RELEASES)
def test_nothing_breaks_who_keeps_to_a_release(version: str) -> None:
    assert export.breakages(RELEASES[version]) == []


def _drop(schema: dict[str, Any], field: str) -> None:
    del schema["properties"][field]
    schema["required"] = [name for name in schema["required"] if name != field]


SCHEMA_CHANGES: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "a field of an output is dropped": (
        APPLIED,
        lambda schema: _drop(schema, "expires_at"),
        ".expires_at is gone",
    ),
    "a field of an output may be null": (
        APPLIED,
        lambda schema: schema["properties"]["sequence"].update(
            anyOf=[{"type": "integer"}, {"type": "null"}]
        ),
        ".sequence may now be null",
    ),
    "a field of an output has another type": (
        APPLIED,
        lambda schema: schema["properties"]["sequence"].update(type="string"),
        ".sequence no longer takes integer",
    ),
    "a field of an input is dropped": (
        CONTROLS,
        lambda schema: schema["properties"].pop("until"),
        ".until is gone",
    ),
    "an input takes fewer types": (
        CONTROLS,
        lambda schema: schema["properties"]["until"].update(anyOf=[{"type": "string"}]),
        ".until no longer takes null",
    ),
    "an input takes fewer numbers": (
        READINGS,
        lambda schema: schema["properties"]["followers"].update(minimum=1),
        ".followers is narrower: minimum 0 became 1",
    ),
    "a word of a closed list is dropped": (
        CONTROLS,
        lambda schema: schema["$defs"]["Command"]["enum"].remove("hold"),
        ".command no longer has the words hold",
    ),
    "a field of an input is newly required": (
        CONTROLS,
        lambda schema: schema["required"].append("approved_by"),
        ".approved_by is now required",
    ),
    "a new field of an input is required": (
        READINGS,
        lambda schema: (
            schema["properties"].update(source={"type": "string"}),
            schema["required"].append("source"),
        ),
        ".source is now required",
    ),
}


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("what", SCHEMA_CHANGES)
@pytest.mark.slow
def test_a_breaking_change_of_a_schema_is_told(
    what: str, version: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, change, said = SCHEMA_CHANGES[what]
    changed = copy.deepcopy(export.schemas())
    change(changed[path])
    monkeypatch.setattr(export, "schemas", lambda: changed)
    assert f"{path}: {said}" in export.breakages(RELEASES[version])
    assert export.main(["--check"]) == 1, "the build fails"
    assert f"breaks {version}: {path}: {said}" in capsys.readouterr().err


DOCUMENT_CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a topic is gone": (
        lambda document: document["channels"].pop("throttles"),
        "channel throttles is gone",
    ),
    "a topic has another name": (
        lambda document: document["channels"]["consents"].update(address="byline.answers"),
        "channel consents is now byline.answers",
    ),
    "an event has moved": (
        lambda document: document["channels"]["throttles"]["messages"].pop("throttle.lifted"),
        "channel throttles no longer carries throttle.lifted",
    ),
    "an input is an output now": (
        lambda document: document["operations"]["read.controls"].update(action="send"),
        "operation read.controls is gone",
    ),
    "a header is not promised any more": (
        lambda document: document["components"]["messages"]["throttle.applied"]["headers"][
            "required"
        ].remove("ce_id"),
        "message throttle.applied no longer promises the header ce_id",
    ),
    "a type has another name": (
        lambda document: document["components"]["messages"]["throttle.applied"]["headers"][
            "properties"
        ]["ce_type"].update(const="byline.throttle.applied.v2"),
        "message throttle.applied no longer promises the header ce_type",
    ),
    "headers are not described any more": (
        lambda document: document["components"]["messages"]["consent.granted"].pop("headers"),
        "message consent.granted no longer promises the header ce_id",
    ),
}


@pytest.mark.parametrize("what", DOCUMENT_CHANGES)
@pytest.mark.slow
def test_a_breaking_change_of_the_document_is_told(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, said = DOCUMENT_CHANGES[what]
    changed = copy.deepcopy(asyncapi.document())
    change(changed)
    monkeypatch.setattr(asyncapi, "document", lambda: changed)
    for told in RELEASES.values():
        assert f"{export.ASYNCAPI}: {said}" in export.breakages(told)


def test_more_topics_messages_headers_and_words_break_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = copy.deepcopy(asyncapi.document())
    changed["channels"]["more"] = changed["channels"]["throttles"]
    headers = changed["components"]["messages"]["throttle.applied"]["headers"]
    headers["properties"]["traceparent"] = {"type": "string"}
    schemas = copy.deepcopy(export.schemas())
    schemas[APPLIED]["properties"]["more"] = {"type": "string"}
    schemas[CONTROLS]["$defs"]["Command"]["enum"].append("more")
    monkeypatch.setattr(asyncapi, "document", lambda: changed)
    monkeypatch.setattr(export, "schemas", lambda: schemas)
    assert export.broken_releases() == []


def test_a_release_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / export.RELEASED).mkdir()
    monkeypatch.setattr(export, "files", lambda _: tmp_path)
    assert export.release("9.0.0") == "9.0.0.json"
    assert export.breakages(export.releases()["9.0.0"]) == []
    assert json.loads(export.releases()["9.0.0"][CONTROLS])["title"] == "Control"
    with pytest.raises(FileExistsError):
        export.release("9.0.0")
