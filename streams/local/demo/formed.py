"""Checks decisions and dead letters against the models of `schemas/records.py`."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError

from schemas.records import DeadLetter, Decision, PolicyRecord, SwitchRecord, TransactionRecord
from streams.local.demo.evidence import Evidence, place
from streams.local.demo.reading import Raw

KINDS: Mapping[str, type[BaseModel]] = {
    "decision": Decision,
    "transaction": TransactionRecord,
    "policies": PolicyRecord,
    "switch": SwitchRecord,
}


def records_keep_to_the_contract(evidence: Evidence) -> Iterator[str]:
    """Checks every decision and dead letter against its model; yields a sentence for each fault."""
    for record in evidence.decisions:
        kind = str((record.json() or {}).get("kind"))
        if kind in KINDS:
            yield from _faults(record, KINDS[kind])
        else:
            yield f"{place(record)}: a decision of no known kind"
    for record in evidence.dead_letters:
        yield from _faults(record, DeadLetter)


def _faults(record: Raw, model: type[BaseModel]) -> Iterator[str]:
    try:
        model.model_validate(record.json())
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        yield f"{place(record)}: {fault['loc']} {fault['msg']}"
