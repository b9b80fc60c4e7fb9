"""A name stands for one thing: a class, or a file, that shares its name with another says why.

A new class takes a name that says its room (`AuditedCycle`, `OracleCycle`), or joins the list here
with its reason.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "streams", "tests")
CLASS = re.compile(r"^class (\w+)", re.MULTILINE)

PUBLISHED = "generated schemas carry the name; a rename would change what is published"
SHARED_CLASSES = {
    "Asked": "the question of a command, in a file named for it: backtest, funnel, propagation",
    "Change": "an account change on the wire; beside it, what differs between two policies",
    "Deferral": f"the closed enum, and its record in the log; {PUBLISHED}",
    "Form": "of an expectation, and of a report: private to their rooms",
    "Ground": f"the closed enum, and the statement's part; {PUBLISHED}",
    "Life": f"the state of an account, and a part of a policy test; {PUBLISHED}",
    "Record": "engine and auditor do not know each other: each reads records in its own form",
    "Restriction": f"what a policy asks for, and the statement's part; {PUBLISHED}",
    "Running": "a policy under which partitions work, and a process of the tests",
    "Scan": "the engine's look at a store; the backtest's at its files",
    "Step": f"a record of the log, and a part of a policy test; {PUBLISHED}",
    "Transaction": "core and engine do not know each other: each says what it asks of the other",
    "_Event": "private: each decodes the fields that it needs",
}
SHARED_FILES = {
    **dict.fromkeys(("__init__.py", "__main__.py", "conftest.py"), "Python's own names"),
    "account.py": "the account: its state, its shadow in policy tests, its page",
    "answers.py": "answers: how they are decided, modelled, modelled again by the oracle",
    "batches.py": "Kafka's batches: read, decoded, and made for a benchmark",
    "chain.py": "the hash chain: written by the core, verified by the auditor, shown by a command",
    "checks.py": "the checks of a room",
    "cluster.py": "the cluster: seen by the doctor, by commands, and struck by tests",
    "controls.py": "controls: decided, audited, and held by the oracle",
    "errors.py": "the tree of errors of a room",
    "events.py": "events: on the wire, in the log, in the index, in commands",
    "facts.py": "facts: in decisions, audited, and followed by tests",
    "faults.py": "faults of a policy file; faults that tests strike with",
    "given.py": "what a test room is given: `given, when, then`",
    "inputs.py": "inputs: on the wire, and as a room takes them",
    "memory.py": "memory over time, measured in a room of tests",
    "partition.py": "a partition of the core, of the auditor, of replay, of policy tests",
    "policies.py": "policies that a room needs: of the demo, of tests",
    "policy.py": "the policy: its value, its command, the oracle's own",
    "reading.py": "how a room reads what it needs",
    "records.py": "records: on the wire, of the auditor, of replay, of the oracle",
    "report.py": "the report of a room, or the command that prints it",
    "run.py": "the run of a room, or the command that begins it",
    "running.py": "what runs beside a test, in its room",
    "stage.py": "what a run stands on: the demo, chaos, a benchmark",
    "states.py": "states: of the index, of audited accounts, of tests",
    "table.py": "a table that a room of tests prints",
    "terms.py": "the pinned terms of a cycle: in the core, audited, in words for pages",
    "test_on_kafka.py": "the tests of a room that need a real Kafka",
    "test_pages.py": "the pages of a room: the console's, those for other programs, the runbook's",
    "test_outage.py": "an outage, in the room that must bear it",
    "test_simulated.py": "a room's tests under a simulated clock",
    "topics.py": "topics: on the wire, as commands know them",
    "traffic.py": "the traffic of a room of tests",
    "unclear.py": "unclear words: decided, audited, held by the oracle and by invariants",
    "words.py": "the words that a room prints, or hears",
    "worker.py": "the worker: the product's, a test's, a benchmark's",
}


def modules() -> list[Path]:
    """Every module of the project."""
    return [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def shared_classes() -> dict[str, list[str]]:
    """By name, the modules of a class whose name stands in more than one."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in modules():
        for name in CLASS.findall(file.read_text()):
            found[name].append(str(file.relative_to(ROOT)))
    return {name: places for name, places in found.items() if len(places) > 1}


def test_a_class_name_stands_in_one_module_or_is_listed_with_its_reason() -> None:
    shared = shared_classes()
    new = {name: places for name, places in shared.items() if name not in SHARED_CLASSES}
    assert new == {}, "name the room in it, as AuditedCycle does; or list it here with its reason"
    assert shared.keys() == SHARED_CLASSES.keys(), "a name that is no longer shared leaves the list"
    assert len(SHARED_CLASSES) < 15


def test_a_file_name_that_stands_three_times_is_listed_with_its_reason() -> None:
    counts = Counter(file.name for file in modules())
    shared = {name for name, count in counts.items() if count > 2}
    assert shared - SHARED_FILES.keys() == set(), "take a word that only this file can have"
