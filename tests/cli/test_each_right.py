"""A right that is missing ends a command with 2, at once, and the sentence names it.

The whole table is `python -m tests.cli.each_right`; here one right of each kind that shows in a way
of its own, by the shipped program.
"""

from collections.abc import Iterator

import pytest

from streams.operate.acl import Permission
from tests.cli.each_right import attempt
from tests.cli.fault_ground import FaultGround, ground, run
from tests.cli.rights_ground import RightTrial, prepare, refuse, trials
from tests.tls.cluster import GuardedKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def on(guarded: GuardedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultGround]:
    with ground(guarded, tmp_path_factory.mktemp("rights")) as made:
        prepare(made, topics=())
        yield made


def of(on: FaultGround, role: str, operation: str, name: str) -> RightTrial:
    """The one trial of this right."""
    wanted = (role, name, (operation,))
    (found,) = [
        it for it in trials(on) if (it.right.role, it.right.name, it.right.operations) == wanted
    ]
    return found


@pytest.mark.parametrize(
    ("role", "operation", "name", "says"),
    [
        ("worker", "DescribeConfigs", "byline.consents", "DescribeConfigs byline.consents"),
        ("indexer", "Describe", "byline", "Describe the group byline"),
        ("redriver", "Write", "byline-redrive", "Write the transactional-id byline-redrive"),
        ("console", "Write", "byline.switches", "Write byline.switches"),
        ("notifier", "Write", "byline.notice-receipts", "Write byline.notice-receipts"),
        ("auditor", "Read", "byline-categories-changelog", "Describe byline-categories-changelog"),
        ("upkeeper", "Write", "byline.switches", "Write byline.switches"),
        ("upkeeper", "Read", "byline.throttles", "Read byline.throttles"),
        ("upkeeper", "Describe", "byline.dead-letters", "Describe byline.dead-letters"),
        ("upkeeper", "Create", "byline-accounts-changelog", "Create byline-accounts-changelog"),
        ("upkeeper", "Delete", "byline-accounts-changelog", "Delete byline-accounts-changelog"),
        ("upkeeper", "Read", "byline", "Read the group byline"),
        ("upkeeper", "Write", "byline-", "Write the transactional-id byline-"),
        ("administrator", "AlterConfigs", "byline.", "DescribeConfigs byline.account-changes"),
        ("administrator", "Create", "byline-", "Create byline-other-accounts-changelog"),
    ],
)
def test_a_command_without_its_right_ends_with_2_and_names_it(
    on: FaultGround, role: str, operation: str, name: str, says: str
) -> None:
    found = attempt(on, of(on, role, operation, name))
    assert [*found.wrong()] == [], found
    assert f"no right to {says}" in found.sentence


def test_a_record_is_not_sent_again_halfway(on: FaultGround) -> None:
    """The redriver may mark the letter, but not write to the topic of its record."""
    place = f"consent-answers[0]@{refuse(on, 'consent-answers')}"
    right = Permission("redriver", "topic", "byline.consent-answers", ("Write",))
    words = ("dead-letters", "redrive", place, "--yes", "--actor", "op.1", "--reason", "incident")
    found = attempt(on, RightTrial(right, words))
    assert [*found.wrong()] == [], found
    assert "no right to Write byline.consent-answers" in found.sentence
    shown = run(on, "redriver", {}, "dead-letters", "show", place)
    assert "settled: –" in shown.sentence or "nobody" in shown.sentence, shown
