"""`python -m tests.cli.each_right`: each right that `byline topics acl` prints, taken away in turn.

On a real Kafka with TLS, SCRAM and ACLs, by the command that needs it, as a process. Exit 1 when
one does not end with 2 within ten seconds and name what is missing; `--write` puts the table into
each_right.md beside this file.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer

from streams.operate.acl import Permission
from tests.cli.fault_ground import FaultGround, ground, guarded, run
from tests.cli.rights_ground import CONSUMER, RightTrial, prepare, trials
from tests.tls.cluster import scram_login

TABLE = Path(__file__).with_name("each_right.md")
MOST_SECONDS = 10.0
_SAID = re.compile(r"(?:a right is missing: )?no right to .*?(?:needs|needed to see them)\b")
_IMPLIED = {"AlterConfigs": "DescribeConfigs"}
"""What is missing as well without it, and is missed first; without any right a topic is unseen."""


@dataclass(frozen=True, slots=True)
class Denied:
    """What came of a command without the right: its exit code, None for none, and its sentence.

    `busy`: how many processes shared one of the machine's processors, at least 1.
    """

    trial: RightTrial
    code: int | None
    seconds: float
    busy: float
    sentence: str

    def wrong(self) -> Iterator[str]:
        """Yields what is not as it has to be."""
        (operation,) = self.trial.right.operations
        if self.trial.words != CONSUMER:
            if self.code != 2:
                yield f"exit {self.code}, not 2"
            named = {operation, "Describe", _IMPLIED.get(operation, operation)}
            if not any(f"no right to {it} " in self.sentence for it in named):
                yield "no right is named"
        kind = self.trial.right.kind
        if self.trial.right.name not in self.sentence and self.trial.words != CONSUMER:
            yield f"the {kind} is not named"
        if "uthoriz" not in self.sentence and "no right" not in self.sentence:
            yield "it says nothing of rights"
        if self.seconds > MOST_SECONDS * self.busy:
            yield f"{self.seconds:.1f} s, with {self.busy:.1f} processes to a processor"

    def row(self, on: FaultGround) -> str:
        """The row of the table; folders of this run are `…`."""
        right = self.trial.right
        (operation,) = right.operations
        name = f"{right.name}{'*' if right.prefixed else ''}"
        cells = [
            *(right.role, operation, f"{right.kind} `{name}`", self.trial.command),
            *("–" if self.code is None else str(self.code), f"{self.seconds:.1f}"),
            self.sentence.replace(str(on.folder), "…").replace("|", "\\|"),
        ]
        return f"| {' | '.join(cells)} |"


def attempt(on: FaultGround, trial: RightTrial) -> Denied:
    """Takes the right away, runs the command, and gives it back."""
    on.kafka.forbid([trial.right])
    began = time.monotonic()
    try:
        if trial.words == CONSUMER:
            code, said = None, consumed(on, trial.right)
        else:
            found = run(on, trial.right.role, trial.settings, *trial.words)
            code, said = found.code, found.sentence
    except subprocess.TimeoutExpired:
        code, said = None, "it went on"
    finally:
        seconds = time.monotonic() - began
        on.kafka.allow([trial.right])
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    shown = _SAID.search(said)
    return Denied(trial, code, seconds, busy, shown[0] if shown else said)


def consumed(on: FaultGround, right: Permission) -> str:
    """What librdkafka says to a consumer of the role's outputs, in its group."""
    topic = next(
        it.name
        for it in on.rights
        if it.role == right.role and it.kind == "topic" and it.operations == ("Read",)
    )
    login = scram_login(right.role)
    consumer = Consumer(
        {
            "bootstrap.servers": on.kafka.address(),
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(on.kafka.authority.cafile),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": right.role,
            "sasl.password": login["BYLINE_KAFKA_SASL_PASSWORD"],
            "group.id": f"byline-{right.role}-1",
            "log_level": 0,
        }
    )
    consumer.subscribe([right.name if right.kind == "topic" else topic])
    until = time.monotonic() + MOST_SECONDS
    try:
        while time.monotonic() < until:
            message = consumer.poll(0.5)
            if message is not None and message.error() is not None:
                return str(message.error().str())
    finally:
        consumer.close()
    return "it waits, and says nothing"


HEAD = """\
# Each right, taken away in turn

Written by `python -m tests.cli.each_right --write`: a real Kafka with TLS, SCRAM and ACLs on which
each role has what `byline topics acl` prints; each operation of each right is taken away, the
command that needs it is run with the role's login, and the right is given back. Seconds are those
of the command without Python's own start (two seconds of a processor). {when}: {count} rights; up
to {busy:.1f} processes shared a processor of the machine meanwhile.

Exit 2 is for a person. Who may not even see a topic lacks every right to it, so a sentence may name
more than what was taken. Those who act on the outputs have consumers of their own and run no
command of Byline: for them the sentence is librdkafka's.

| role | right taken | on | command | exit | s | what it says |
|---|---|---|---|---|---|---|
"""


def _what(row: str) -> str:
    """The role, the operation and the resource of a row."""
    return " | ".join(row.split(" | ")[:3])


def _known() -> dict[str, str]:
    """The rows that were written before."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    return {_what(it): it for it in lines if it.startswith("| ") and not it.startswith("| role ")}


def main() -> int:
    """Tries all, or those whose row has a word in it; prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.cli.each_right", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="roles, rights, names with it")
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    given = parser.parse_args()
    rows, faults, busy = _known() if given.only else {}, [], 1.0
    with (
        tempfile.TemporaryDirectory(prefix="byline-rights-") as name,
        guarded(Path(name) / "kafka") as kafka,
        ground(kafka, Path(name)) as on,
    ):
        prepare(on)
        for trial in trials(on):
            right = trial.right
            if given.only not in f"{right.role} {' '.join(right.operations)} {right.name}":
                continue
            found = attempt(on, trial)
            wrong = [*found.wrong()]
            if wrong:
                # Once more: the broker may not have heard of it, or the machine was too busy.
                found = attempt(on, trial)
                wrong = [*found.wrong()]
            busy = max(busy, found.busy)
            row = found.row(on)
            rows[_what(row)] = row
            print(row, *wrong, sep="\n    ", flush=True)
            faults += [f"{right.role}, {right.name}: {it}" for it in wrong]
    if given.write:
        when = f"{datetime.now(UTC):%Y-%m-%d}"
        head = HEAD.format(when=when, count=len(rows), busy=busy)
        TABLE.write_text(head + "\n".join(rows.values()) + "\n")
    print("\n".join(faults) or f"each of {len(rows)} was named")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
