"""`python -m schemas.export [--check]`: the wire as JSON Schema, AsyncAPI and examples.

Writes `schemas/generated/`: one schema for each input, event and record, for the statement of
reasons, for a policy and a file of policy tests; `asyncapi.json`; and one example for each case
under `examples/`. `--check` writes nothing and prints the differences. A change that breaks
programs which use the present files, or those of a release, is refused, unless `--breaking` says
that it is meant. `--release VERSION` keeps in `schemas/released/` what is generated, as what that
version told others.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any

from pydantic import BaseModel

from schemas import asyncapi
from schemas.compatibility import breaks, document_breaks
from schemas.events import EVENT_MODELS
from schemas.examples import ack_examples, event_examples, input_examples, record_examples
from schemas.inputs import INPUT_MODELS, ThrottleAck
from schemas.policy_file import PolicyFile
from schemas.policy_tests import PolicyTests
from schemas.records import RECORD_MODELS, DeadLetter, Settlement
from schemas.statement import StatementOfReasons
from schemas.topics import THROTTLE_ACKS

FOLDER = "generated"
RELEASED = "released"
ASYNCAPI = "asyncapi.json"
ACKS = THROTTLE_ACKS.name
STATEMENT = "statement-of-reasons.v1.json"
FILES_OF_PEOPLE: dict[str, type[BaseModel]] = {
    "policy.json": PolicyFile,
    "policy-test.json": PolicyTests,
}
"""Schemas of the files that people write, for the checks and completion of editors."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generated() -> dict[str, str]:
    """Returns the text of every file of `schemas/generated/`, by its path in that folder."""
    plain: dict[str, Any] = {**schemas(), ASYNCAPI: asyncapi.document()}
    for kind, name, case, example in _examples():
        plain[f"examples/{kind}/{name}/{case}.json"] = example
    return {path: _text(value) for path, value in sorted(plain.items())}


def schemas() -> dict[str, dict[str, Any]]:
    """Returns every JSON Schema, by its path in `schemas/generated/`."""
    found: dict[str, dict[str, Any]] = {}
    for name, model in INPUT_MODELS.items():
        found[f"inputs/{name}.json"] = model.model_json_schema()
    found[f"inputs/{ACKS}.json"] = ThrottleAck.model_json_schema()
    for event, event_model in EVENT_MODELS.items():
        found[f"events/{event}.v1.json"] = event_model.model_json_schema()
    records: dict[str, type[BaseModel]] = {
        **RECORD_MODELS,
        "dead-letter": DeadLetter,
        "settlement": Settlement,
    }
    for kind, record in records.items():
        found[f"records/{kind}.json"] = record.model_json_schema()
    found[STATEMENT] = StatementOfReasons.model_json_schema()
    for path, of_people in FILES_OF_PEOPLE.items():
        found[path] = of_people.model_json_schema()
    return {
        path: {"$schema": _DIALECT, "$id": f"urn:byline:{path.removesuffix('.json')}", **schema}
        for path, schema in found.items()
    }


def schema_of(example: str) -> str:
    """Returns the path of the schema of an example, given the example's path."""
    _, kind, name, _ = example.split("/")
    return f"{kind}/{name}.json"


def _examples() -> list[tuple[str, str, str, dict[str, Any]]]:
    told: list[tuple[str, str, str, dict[str, Any]]] = []
    for name, cases in input_examples().items():
        told += [("inputs", name, case, example) for case, example in cases.items()]
    told += [("inputs", ACKS, case, example) for case, example in ack_examples().items()]
    for event, cases in event_examples().items():
        told += [("events", f"{event}.v1", case, example) for case, example in cases.items()]
    for kind, cases in record_examples().items():
        told += [("records", kind, case, example) for case, example in cases.items()]
    return told


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def differences(there: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each file of `there` (text by path) that is not as generated."""
    wanted = generated()
    found = [f"{path} is missing" for path in wanted if path not in there]
    found += [f"{path} is nothing's" for path in there if path not in wanted]
    found += [f"{path} is old" for path in wanted if there.get(path, wanted[path]) != wanted[path]]
    return sorted(found)


def breakages(there: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each change from `there` (text by path) that breaks programs."""
    found = []
    new = schemas()
    for path, text in there.items():
        if path == ASYNCAPI:
            broken = document_breaks(json.loads(text), asyncapi.document())
        elif not _told_to_others(path):
            continue
        elif path not in new:
            found.append(f"{path} is gone")
            continue
        else:
            broken = breaks(json.loads(text), new[path], path.startswith("inputs/"))
        found += [f"{path}: {what}" for what in broken]
    return found


def _told_to_others(path: str) -> bool:
    return path.startswith(("inputs/", "events/", "records/")) or path == STATEMENT


def releases() -> dict[str, dict[str, str]]:
    """Returns what each release told others: version -> path -> text of schema or document."""
    with as_file(files("schemas")) as package:
        return {
            path.stem: {
                name: json.dumps(plain)
                for name, plain in json.loads(path.read_text(encoding="utf-8")).items()
            }
            for path in sorted((package / RELEASED).glob("*.json"))
        }


def broken_releases() -> list[str]:
    """Returns a sentence for each present difference that breaks programs of a release."""
    return [
        f"breaks {version}: {what}"
        for version, told in releases().items()
        for what in breakages(told)
    ]


def release(version: str) -> str:
    """Keeps what is generated now as what this version told others. Returns the file's name.

    Raises:
        FileExistsError: the version was released before; what it told is not changed any more.
    """
    told = {path: plain for path, plain in schemas().items() if _told_to_others(path)}
    told[ASYNCAPI] = asyncapi.document()
    with as_file(files("schemas")) as package:
        place = package / RELEASED / f"{version}.json"
        with place.open("x", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            file.write("\n")
    return place.name


def read() -> dict[str, str]:
    """Returns the present text of the files in `schemas/generated/`, by path."""
    with as_file(files("schemas")) as package:
        folder = package / FOLDER
        return {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def write() -> int:
    """Writes `schemas/generated/`, and removes other files there. Returns the number of files."""
    wanted = generated()
    with as_file(files("schemas")) as package:
        folder = package / FOLDER
        for path in read():
            if path not in wanted:
                (folder / path).unlink()
        for path, text in wanted.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    return len(wanted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns 0 on success, 1 if files differ or a change breaks programs."""
    parser = argparse.ArgumentParser(prog="python -m schemas.export", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    parser.add_argument("--breaking", action="store_true", help="the breakages are meant")
    parser.add_argument("--release", metavar="VERSION", help="keep it as what VERSION told others")
    options = parser.parse_args(arguments)
    there = read()
    wrong = [] if options.breaking else [f"breaks: {what}" for what in breakages(there)]
    wrong += [] if options.breaking else broken_releases()
    if options.check:
        wrong = differences(there) + wrong
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if wrong or options.check:
        return 1 if wrong else 0
    sys.stdout.write(f"{write()} files in schemas/{FOLDER}\n")
    if options.release:
        sys.stdout.write(f"{release(options.release)} in schemas/{RELEASED}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
