"""What the tests of the command line share: settings of one test, and the program itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.cli import main
from streams.settings import Settings
from streams.settings_checks import variable
from tests.conftest import RunningKafka


@dataclass(frozen=True)
class HttpAnswer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Byline = Callable[..., HttpAnswer]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them; output is plain and unwrapped."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def byline(capfd: pytest.CaptureFixture[str]) -> Byline:
    """`byline("topics", "check")`: run a command in this process."""

    def run(*arguments: str) -> HttpAnswer:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        out, err = capfd.readouterr()
        return HttpAnswer(int(end.value.code or 0), out, err)

    return run


@pytest.fixture
def on_kafka(
    kafka: RunningKafka,
    fresh_prefix: str,
    fresh_app: str,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """A command's environment points to the session's Kafka, with topics of this test alone."""
    settings = Settings(
        kafka_bootstrap_servers=kafka.bootstrap,
        topic_prefix=fresh_prefix,
        application_id=fresh_app,
        data_dir=data_dir,
    )
    for field in ("kafka_bootstrap_servers", "topic_prefix", "application_id", "data_dir"):
        monkeypatch.setenv(variable(field), str(getattr(settings, field)))
    return settings
