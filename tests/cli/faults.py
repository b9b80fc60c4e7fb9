"""`python -m tests.cli.faults`: each fault of start and login, by worker and by verb, in one table.

On a real Kafka with TLS, SCRAM and ACLs. Exit 1 when one does not end as it has to; `--write` puts
the table into faults.md beside this file.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from streams.operate.acl import Permission
from tests.cli.fault_ground import FaultGround, FaultOutcome, ground, guarded, run
from tests.cli.fault_list import FAULTS, CliFault

TABLE = Path(__file__).with_name("faults.md")
MOST_SECONDS = 10.0
COLUMNS = (
    "| fault | worker | s | verb | exit | s | what the worker says, or else the verb |",
    "|---|---|---|---|---|---|---|",
)


def lacking(on: FaultGround, fault: CliFault, role: str) -> list[Permission]:
    """The rights that a user does not have, as they were granted."""
    return [
        replace(it, operations=(operation,))
        for kind, name, operation in fault.lacking
        for it in on.rights
        if (it.role, it.kind, it.name) == (role, kind, name) and operation in it.operations
    ]


@dataclass(frozen=True, slots=True)
class Tried:
    """A fault and what came of it; `wrong` says what is not as it has to be."""

    fault: CliFault
    worker: FaultOutcome | None
    verb: FaultOutcome | None
    wrong: tuple[str, ...]


def attempt(on: FaultGround, fault: CliFault) -> Tried:
    """Make the fault, run worker and verb, and undo it."""
    outcomes: list[FaultOutcome | None] = []
    wrong: list[str] = []
    ways = (
        ("worker", fault.worker, "worker", ("worker",), fault.words),
        ("verb", fault.verb_code, fault.verb_user, fault.verb, fault.verb_words or fault.words),
    )
    for who, code, user, words, said in ways:
        if code is None:
            outcomes.append(None)
            continue
        taken = lacking(on, fault, user)
        if fault.lacking and not taken:
            wrong.append(f"{who}: {user} never had that right")
        on.kafka.forbid(taken)
        try:
            found = run(
                on, user, fault.settings, *words, obey_modes=fault.obey_modes, text=fault.text
            )
        finally:
            on.kafka.allow(taken)
        outcomes.append(found)
        wrong += [f"{who}: {it}" for it in _wrong(found, code, said)]
    return Tried(fault, outcomes[0], outcomes[1], tuple(wrong))


def _wrong(found: FaultOutcome, code: int, words: str) -> Iterator[str]:
    if found.code != code:
        yield f"exit {found.code}, not {code}"
    if words.lower() not in found.sentence.lower():
        yield f"does not say {words!r}: {found.sentence}"
    if found.traced:
        yield "a traceback"
    # One that waits for a broker is told for how long, here five seconds.
    if found.seconds > MOST_SECONDS * found.busy + (5 if found.code == 70 else 0):
        yield f"{found.seconds:.1f} s, with {found.busy:.1f} processes to a processor"


def table(on: FaultGround, tried: list[Tried], known: dict[str, str]) -> str:
    """All of it in Markdown, rows that are known already first; folders of this run are `…`."""
    rows = {**known, **{it.fault.name: _row(on, it) for it in tried}}
    return "\n".join([*COLUMNS, *rows.values()]) + "\n"


def _row(on: FaultGround, it: Tried) -> str:
    worker, verb = it.worker, it.verb
    said = worker or verb
    assert said is not None
    cells = [
        it.fault.name,
        *_figures(worker),
        f"`byline {' '.join(it.fault.verb[:2])}`" if verb else "–",
        *_figures(verb),
        said.sentence.replace(str(on.folder), "…").replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"


def _known() -> dict[str, str]:
    """The rows that were written before, by fault."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    rows = [line for line in lines if line.startswith("| ") and line not in COLUMNS]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


def _busiest(tried: list[Tried]) -> str:
    outcomes = [found for it in tried for found in (it.worker, it.verb) if found is not None]
    return f"{max(it.busy for it in outcomes):.0f}"


def _figures(found: FaultOutcome | None) -> tuple[str, str]:
    return ("–", "–") if found is None else (str(found.code), f"{found.seconds:.1f}")


def main() -> int:
    """Try all, or those whose name has a word in it; print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.cli.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults with one of these in their name")
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}, fault by fault")
    given = parser.parse_args()
    tried: list[Tried] = []
    known = _known() if given.words else {}
    with (
        tempfile.TemporaryDirectory(prefix="byline-faults-") as name,
        guarded(Path(name) / "kafka") as kafka,
        ground(kafka, Path(name)) as on,
    ):
        for each in FAULTS:
            for fault in each(on):
                if given.words and not any(word in fault.name for word in given.words):
                    continue
                tried.append(attempt(on, fault))
                print(fault.name, *tried[-1].wrong, sep="\n    ", file=sys.stderr)
                if given.write:
                    head = HEAD.format(busy=_busiest(tried))
                    TABLE.write_text(head + table(on, tried, known))
        print(table(on, tried, {}))
    return 1 if any(it.wrong for it in tried) else 0


HEAD = """\
# Faults of start and login

Written by `python -m tests.cli.faults --write`: each fault on a real Kafka with TLS, SCRAM and
ACLs, by `byline worker` and by a verb. Seconds are those of the command without Python's own start
(two seconds of a processor); those of files that may not be read have it. Up to {busy} processes
shared a processor of the machine meanwhile. Exit 2: somebody has to change something; 70: start it
again, it has waited for a broker (here five seconds, BYLINE_START_TIMEOUT_SECONDS). No line is a
traceback.

"""

if __name__ == "__main__":
    sys.exit(main())
