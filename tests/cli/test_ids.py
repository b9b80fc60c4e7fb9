"""No name gets into a record by an option: each id is checked before anything is asked or sent."""

from typing import Any

import pytest
import typer

from streams.cli.program import program_of
from streams.letters.reading import Filter
from streams.letters.settle import SettlementOrder
from streams.operate.errors import UsageError
from tests.cli.conftest import Byline
from tests.cli.test_commands import ALL

ACTORS = ("--actor", "--approved-by")
NAMES = ("王伟", "", "Wang Wei", "op.1\n", "x" * 129)


def _options() -> list[tuple[tuple[str, ...], str]]:
    """The options of all commands that name a person or are an id, with their commands."""
    found = []
    program: Any = typer.main.get_command(program_of())
    for path in ALL:
        command = program
        for word in path:
            command = command.commands[word]
        for param in command.params:
            name = param.opts[0]
            if name in ACTORS or name.endswith("-id"):
                found.append((path, name))
    return found


OPTIONS = _options()


def test_the_options_that_are_ids_are_found() -> None:
    assert {name for _, name in OPTIONS} == {*ACTORS, "--bulk-id", "--appeal-id"}
    for path in (("dead-letters", "dismiss"), ("dead-letters", "redrive"), ("control", "undo")):
        assert (path, "--actor") in OPTIONS


@pytest.mark.parametrize(
    ("path", "option"), OPTIONS, ids=[" ".join((*path, option)) for path, option in OPTIONS]
)
def test_what_is_no_id_is_refused_before_all_else(
    byline: Byline, path: tuple[str, ...], option: str
) -> None:
    for name in NAMES:
        said = byline(*path, option, name)
        assert said.code == 2
        allowed = "^[A-Za-z0-9._-]{1,64}$" if option in ACTORS else "^[A-Za-z0-9._~:-]{1,128}$"
        assert f"{option} is an opaque id and no name: {allowed}" in said.err
        assert not name.strip() or name.strip() not in said.err, "it may be a person's name"


@pytest.mark.parametrize("name", NAMES)
def test_nobody_settles_a_letter_under_a_name(name: str) -> None:
    with pytest.raises(UsageError, match="the actor is an opaque id"):
        SettlementOrder(name, "test", Filter(), 0)
