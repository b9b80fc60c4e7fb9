"""Fixtures: the recording `clean`, its index, and a console on it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.console.given import ConsoleGround
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS, Tape


@pytest.fixture(scope="session")
def tape() -> Tape:
    return RECORDINGS["clean"]()


@pytest.fixture
def engine(tape: Tape, tmp_path: Path) -> Engine:
    return filled(tmp_path, tape)


@pytest.fixture
def ground(engine: Engine, tape: Tape, tmp_path: Path) -> ConsoleGround:
    return ConsoleGround(engine, tape.now, tmp_path)
