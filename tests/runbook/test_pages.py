"""The runbook's pages: each command there was run as it stands, and what it printed is under it.

`python -m tests.runbook --write` runs them; this holds the pages to what it wrote down.
"""

import json
import re

import pytest
from typer._click.exceptions import UsageError

from tests.cli.conftest import clean_environment
from tests.runbook.__main__ import RAN
from tests.runbook.given import GIVEN
from tests.runbook.pages import ROOT, Page, Typed, pages, typed
from tests.runbook.parsing import calls, parse

__all__ = ["clean_environment"]
KEPT = json.loads(RAN.read_text())
EVERY = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


@EVERY
def test_every_command_was_run_as_it_stands_and_ended_as_its_page_says(page: Page) -> None:
    ran = [(one["typed"], one["exit"]) for one in KEPT[page.name]]
    assert ran == [(one.line, one.code) for one in page.commands()]


@EVERY
def test_what_byline_printed_stands_under_each_command(page: Page) -> None:
    printed = page.printed()
    for one in page.commands():
        if one.command.startswith("byline ") and ">" not in one.command:
            assert any(printed[one.line]), f"nothing stands under {one.command}"


@EVERY
def test_every_call_of_a_page_can_be_typed(page: Page) -> None:
    found = [words for one in page.commands() for words in calls(one.command)]
    assert found
    for words in found:
        parse(words)


@EVERY
def test_a_page_says_what_it_costs_owners_and_how_one_knows_that_it_worked(page: Page) -> None:
    assert re.search(r"costs (the )?owners?\b", page.text)
    assert "**It worked** when" in page.text
    assert all(step in GIVEN for step in page.steps() if isinstance(step, str))


def test_the_runbook_lists_every_page_and_nothing_was_kept_of_others() -> None:
    listed = re.findall(r"\]\(runbook/([a-z-]+)\.md\)", (ROOT / "deploy/runbook.md").read_text())
    assert sorted(listed) == [page.name for page in pages()] == sorted(KEPT)


@EVERY
def test_every_link_of_a_page_leads_to_a_file(page: Page) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.text):
        assert (page.path.parent / target).resolve().is_file(), target
    for named in re.findall(r"`(deploy/[\w./-]+)`", page.text):
        assert (ROOT / named).exists(), named


def test_a_command_that_was_changed_or_is_not_there_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    page = Page(tmp_path / "page.md")
    page.path.write_text("a\n```console\n$ byline status  # exit 1: nobody\nold\n$ ls\n```\nb\n")
    status, other = page.commands()
    assert status == Typed("byline status  # exit 1: nobody", "byline status", 1)
    assert other == typed("ls")
    written = page.written(["1\n2", ""])
    assert written == ("a\n```console\n$ byline status  # exit 1: nobody\n1\n2\n$ ls\n```\nb\n")
    (words,) = calls("BYLINE_A=b byline topics unblock > x")
    with pytest.raises(UsageError):
        parse(words)
