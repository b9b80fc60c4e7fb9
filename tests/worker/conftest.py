"""`estate`: topics and workers of this test alone on the session's Kafka."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.topics import TopicNames
from tests.conftest import RunningKafka
from tests.worker.commands import byline
from tests.worker.harness import Estate


@pytest.fixture
def make_estate(
    kafka: RunningKafka, fresh_prefix: str, fresh_app: str, tmp_path: Path
) -> Iterator[Callable[..., Estate]]:
    """Makes an estate with the policies given as platform to YAML text; ends its workers."""
    made: list[Estate] = []

    def make(policies: dict[str, str], partitions: int = 4, **settings: str) -> Estate:
        names = TopicNames(fresh_prefix, fresh_app)
        folder = _written(policies, tmp_path)
        estate = Estate(kafka.bootstrap, names, folder, tmp_path, partitions, settings)
        made.append(estate)
        return estate.create_topics()

    yield make
    for estate in made:
        estate.stop()


@pytest.fixture
def make_old_estate(
    kafka: RunningKafka, fresh_prefix: str, fresh_app: str, tmp_path: Path
) -> Iterator[Callable[..., Estate]]:
    """The same with the code of another version, which makes its own topics."""
    made: list[Estate] = []

    def make(policies: dict[str, str], code: Path) -> Estate:
        names = TopicNames(fresh_prefix, fresh_app)
        folder = _written(policies, tmp_path)
        estate = Estate(kafka.bootstrap, names, folder, tmp_path, code=code)
        made.append(estate)
        created = byline(estate, "topics", "create", "--partitions", str(estate.partitions))
        assert created.returncode == 0, created.stderr
        return estate

    yield make
    for estate in made:
        estate.stop()


def _written(policies: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir(exist_ok=True)
    for platform, text in policies.items():
        (folder / f"{platform}.yaml").write_text(text, encoding="utf-8")
    return folder
