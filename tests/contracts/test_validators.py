"""Validators of others against the worker: ajv in strict mode, `jsonschema`, AsyncAPI's parser."""

import base64
import functools
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas import export
from schemas.events import EVENT_MODELS
from schemas.inputs import INPUT_MODELS
from tests.contracts import corpus
from tests.contracts.corpus import CorpusCase
from tests.support.parts import program

HERE = Path(__file__).parent
TABLE = list(corpus.table())


@functools.cache
def both() -> list[CorpusCase]:
    """The table and the mutations. Only the tests that want them make them."""
    return [*TABLE, *corpus.mutations()]


def node(script: str, *arguments: Path) -> str:
    """What a script of this folder prints."""
    done = subprocess.run(
        [program("contracts-node"), HERE / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def held_to_the_worker(cases: list[CorpusCase], takes: list[bool]) -> Counter[str]:
    """Asserts that verdicts agree but for the listed differences; counts these by kind."""
    found: Counter[str] = Counter()
    for case, other in zip(cases, takes, strict=True):
        if corpus.worker_takes(case) == other:
            continue
        assert other, f"the worker takes what the schema refuses: {case}"
        kind = corpus.difference(case)
        assert kind is not None, f"the schema takes what the worker refuses: {case}"
        found[kind] += 1
    return found


@pytest.mark.slow
def test_the_table_is_as_it_says_and_the_corpus_has_good_and_bad_of_every_topic() -> None:
    for case in TABLE:
        assert case.taken in (None, corpus.worker_takes(case)), case
    taken = Counter((case.topic, corpus.worker_takes(case)) for case in both())
    assert len(both()) > 4_500
    assert all(taken[name, verdict] > 30 for name in INPUT_MODELS for verdict in (True, False))


@pytest.mark.slow
def test_jsonschema_agrees_with_the_worker_but_for_the_listed_differences() -> None:
    found = held_to_the_worker(both(), [corpus.jsonschema_takes(case) for case in both()])
    assert set(found) == set(corpus.DIFFERENCES)


@pytest.mark.slow
@pytest.mark.part("contracts-node")
def test_ajv_in_strict_mode_agrees_with_the_worker_but_for_the_listed_differences(
    tmp_path: Path,
) -> None:
    file = tmp_path / "corpus.json"
    cases = [(case.topic, base64.b64encode(case.raw).decode()) for case in both()]
    file.write_text(json.dumps({"schemas": corpus.SCHEMAS, "cases": cases}))
    takes = [line == "1" for line in node("ajv.cjs", file).split()]
    found = held_to_the_worker(both(), takes)
    assert set(found) == set(corpus.DIFFERENCES) - {"line feed"}


def test_a_difference_that_is_not_listed_fails() -> None:
    bad = next(case for case in TABLE if case.taken is False and not corpus.difference(case))
    good = next(case for case in TABLE if case.taken)
    with pytest.raises(AssertionError, match="the schema takes what the worker refuses"):
        held_to_the_worker([bad], [True])
    with pytest.raises(AssertionError, match="the worker takes what the schema refuses"):
        held_to_the_worker([good], [False])


@pytest.mark.part("contracts-node")
@pytest.mark.slow
def test_ajv_in_strict_mode_takes_every_schema_and_its_examples(tmp_path: Path) -> None:
    files = export.read()
    of_people = export.FILES_OF_PEOPLE
    schemas = {path: json.loads(files[path]) for path in export.schemas() if path not in of_people}
    examples = [path for path in files if path.startswith("examples/")]
    cases = [
        (export.schema_of(path), base64.b64encode(files[path].encode()).decode())
        for path in examples
    ]
    file = tmp_path / "examples.json"
    file.write_text(json.dumps({"schemas": schemas, "cases": cases}))
    assert node("ajv.cjs", file).split() == ["1"] * len(examples)


# ---- AsyncAPI ----------------------------------------------------------------------------------


def parsed(folder: Path) -> dict[str, Any]:
    """What AsyncAPI's parser makes of the document in a folder of generated files."""
    told: dict[str, Any] = json.loads(node("asyncapi.cjs", folder / "asyncapi.json"))
    return told


def written(folder: Path, change: Any = None) -> Path:
    """The generated files in a folder, with the document changed."""
    for path, text in export.read().items():
        if not path.startswith("examples/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    if change is not None:
        document = json.loads((folder / "asyncapi.json").read_text())
        change(document)
        (folder / "asyncapi.json").write_text(json.dumps(document))
    return folder


@pytest.mark.part("contracts-node")
@pytest.mark.slow
def test_asyncapis_parser_accepts_the_document_and_follows_it_into_the_schemas(
    tmp_path: Path,
) -> None:
    told = parsed(written(tmp_path))
    assert told["problems"] == []
    assert "byline.shadow.throttles" in told["channels"]
    assert (len(told["channels"]), told["operations"]) == (16, 16)
    assert set(told["messages"]) > {*INPUT_MODELS, *EVENT_MODELS}
    for event, model in EVENT_MODELS.items():
        assert set(told["fields"][event]) == set(model.model_fields)


WRONG: dict[str, Any] = {
    "a reference that leads nowhere": lambda document: document["channels"]["throttles"][
        "messages"
    ].update(x={"$ref": "#/components/messages/x"}),
    "an operation of no channel": lambda document: document["operations"]["read.controls"].pop(
        "channel"
    ),
    "an action that is none": lambda document: document["operations"]["read.controls"].update(
        action="publish"
    ),
    "no title": lambda document: document["info"].pop("title"),
}


@pytest.mark.part("contracts-node")
@pytest.mark.parametrize("what", WRONG)
@pytest.mark.slow
def test_asyncapis_parser_would_not_accept(what: str, tmp_path: Path) -> None:
    assert parsed(written(tmp_path, WRONG[what]))["problems"] != []
