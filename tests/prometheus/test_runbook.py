"""Each alert has its heading in the runbook, and each command there can be typed."""

import re
import shlex

import pytest
from typer._click.exceptions import UsageError

from tests.cli.conftest import clean_environment
from tests.prometheus.rules import ROOT, alerts
from tests.runbook.parsing import parse

__all__ = ["clean_environment"]
RUNBOOK = (ROOT / "deploy/runbook.md").read_text()
PAGES: frozenset[str] = frozenset()
"""Headings that belong to no alert."""
PARTS = ("Means", "Owners", "Look at", "Do", "Ends")
SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^#).*\n)*)", RUNBOOK, re.M))


def _commands() -> list[str]:
    """Each `byline …` of a block or between backticks that is more than the name of a command."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", RUNBOOK, re.S))
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", RUNBOOK, flags=re.S))
    lines = [*blocks.splitlines(), *(" ".join(it.split()) for it in inline)]
    return sorted({line.partition(" #")[0].strip() for line in lines if line.startswith("byline ")})


def test_every_alert_has_its_heading_and_every_heading_an_alert() -> None:
    assert SECTIONS.keys() - PAGES == alerts().keys()
    for rule in alerts().values():
        anchor = rule["annotations"]["runbook"].partition("#")[2]
        assert anchor in {heading.lower() for heading in SECTIONS}


@pytest.mark.parametrize("alert", alerts())
def test_a_heading_says_what_it_means_for_whom_and_what_to_do(alert: str) -> None:
    assert tuple(re.findall(r"^\* \*\*(.+?):\*\*", SECTIONS[alert], re.M)) == PARTS
    assert "`" in SECTIONS[alert]


@pytest.mark.parametrize("line", _commands())
def test_every_command_of_the_runbook_can_be_typed(line: str) -> None:
    parse(shlex.split(line)[1:])


def test_a_command_that_is_not_there_is_told() -> None:
    for line in ("topics unblock", "worklist nobody", "switch adverse-off on", "status --loud"):
        with pytest.raises(UsageError):
            parse(line.split())


def test_every_link_within_the_runbook_leads_to_a_heading() -> None:
    for target in re.findall(r"\]\(#([^)]+)\)", RUNBOOK):
        assert target in {heading.lower() for heading in SECTIONS}
