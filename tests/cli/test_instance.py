"""A second worker of a host takes the next free folder and port, and keeps what it was given."""

import socket
from pathlib import Path

import pytest

from streams.instance import InstanceError, claim
from streams.local.probe import free_port
from streams.settings import Settings


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, http_port=free_port())


def test_a_second_worker_takes_the_next_folder_and_port(settings: Settings) -> None:
    with claim(settings) as first, claim(settings) as second:
        assert first.folder == settings.data_dir / "byline" / "worker-1"
        assert second.folder == settings.data_dir / "byline" / "worker-2"
        assert first.instance_id != second.instance_id
        assert second.http_port > first.http_port


def test_a_folder_that_is_made_is_for_its_user_alone(settings: Settings, tmp_path: Path) -> None:
    fresh = settings.model_copy(update={"data_dir": tmp_path / "new" / "data"})
    with claim(fresh):
        assert fresh.data_dir.stat().st_mode & 0o777 == 0o700
    settings.data_dir.chmod(0o750)
    with claim(settings):
        assert settings.data_dir.stat().st_mode & 0o777 == 0o750, "who made it has chosen"


def test_the_id_is_kept_and_the_folder_is_free_again(settings: Settings) -> None:
    with claim(settings) as before:
        pass
    with claim(settings) as after:
        assert (after.folder, after.instance_id) == (before.folder, before.instance_id)


def test_a_port_that_somebody_else_has_is_passed_over(settings: Settings) -> None:
    address = (settings.http_host, settings.http_port)
    with socket.create_server(address), claim(settings) as instance:
        assert instance.http_port > settings.http_port


def test_a_name_that_is_running_is_refused(settings: Settings) -> None:
    named = settings.model_copy(update={"instance_id": "blue"})
    with claim(named) as first:
        assert first.instance_id == "blue"
        with pytest.raises(InstanceError) as refusal:
            claim(named)
    assert str(refusal.value) == (
        f"a worker named blue is running with {first.folder}:"
        " give this one another BYLINE_INSTANCE_ID, or none"
    )


def test_two_applications_do_not_share_folders(settings: Settings) -> None:
    other = settings.model_copy(update={"application_id": "rehearsal"})
    with claim(settings) as first, claim(other) as second:
        assert first.folder.name == second.folder.name == "worker-1"
        assert first.folder != second.folder


def test_a_folder_that_cannot_be_written_is_named(settings: Settings) -> None:
    (settings.data_dir / "byline").write_text("a file is in the way")
    with pytest.raises(InstanceError, match="BYLINE_DATA_DIR has to name a directory"):
        claim(settings)
