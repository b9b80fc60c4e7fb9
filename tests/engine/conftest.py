"""Toys: topics and workers that are gone with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.harness import Toys
from tests.tls.ready import login


@pytest.fixture
def make_toys(
    request: pytest.FixtureRequest, fresh_app: str, tmp_path: Path
) -> Iterator[Callable[..., Toys]]:
    """Makes toys; with `--tls`, or the mark `tls`, their workers log in over TLS."""
    made: list[Toys] = []
    over_tls = request.config.getoption("--tls") or request.node.get_closest_marker("tls")
    kafka = request.getfixturevalue("guarded" if over_tls else "kafka")
    bootstrap = kafka.plain if over_tls else kafka.bootstrap
    way_in = login(kafka) if over_tls else {}

    def make(partitions: int = 4) -> Toys:
        toys = Toys(bootstrap, fresh_app, tmp_path, partitions, way_in)
        made.append(toys)
        return toys

    yield make
    for toys in made:
        toys.close()


@pytest.fixture
def toys(make_toys: Callable[..., Toys]) -> Toys:
    """Four partitions, topics made."""
    return make_toys().make_topics()
