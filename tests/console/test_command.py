"""The command: serves until it is told to stop, and says what is missing."""

import hashlib
import os
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from streams.cli import console
from streams.console.peers import peers_of
from streams.console.role_file import RoleFile
from streams.console.sessions import KEY_FILE, key_in
from streams.index.database import FILE_NAME, PAGES_CACHE_KIB
from streams.operate.errors import UsageError
from streams.settings_checks import variable
from tests.cli.conftest import clean_environment
from tests.console.given import digest
from tests.index.filled import filled
from tests.operate.conftest import until
from tests.operate.recording import Tape
from tests.support import processes

__all__ = ["clean_environment"]
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop(
    tmp_path: Path, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    roles = tmp_path / "roles"
    roles.write_text(f"{digest('x')} desk.1 viewer\n")
    refused = processes.run(["console"], os.environ)
    assert (refused.returncode, "BYLINE_ROLES_FILE is missing" in refused.stderr) == (2, True)
    monkeypatch.setenv(variable("roles_file"), str(roles))
    refused = processes.run(["console"], os.environ)
    assert refused.returncode == 2
    assert "there is no index at" in refused.stderr
    assert "`byline index` makes it" in refused.stderr
    (tmp_path / "byline").mkdir(exist_ok=True)
    filled(tmp_path / "byline", tape, FILE_NAME).dispose()
    oidc = {"oidc_issuer": "https://login.example.org", "oidc_client_id": "byline"}
    for field, value in {**oidc, "console_address": "https://byline.example.org"}.items():
        monkeypatch.setenv(variable(field), value)
    monkeypatch.setenv(variable("oidc_actors_file"), str(tmp_path / "nowhere"))
    refused = processes.run(["console"], os.environ)
    assert (refused.returncode, "nowhere cannot be read" in refused.stderr) == (2, True)
    monkeypatch.delenv(variable("oidc_actors_file"))
    log = tmp_path / "log"
    log.touch()
    process = processes.start(["console", "--port", "0"], os.environ, log)
    said = until(
        lambda: re.search(r"open (http://127\.0\.0\.1:\d+)/", log.read_text()), 60, "it serves"
    )
    with urllib.request.urlopen(f"{said[1]}/sign-in", timeout=10) as answer:
        page = answer.read()
        assert b"Token" in page
        assert b"Sign in at login.example.org" in page
        assert "server" not in {it.lower() for it in answer.headers}
    with urllib.request.urlopen(f"{said[1]}/readyz", timeout=10) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, log.read_text()
    assert (tmp_path / "byline" / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_wrong_peers_and_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--proxy proxy\.example: this is no address or network"):
        peers_of(["proxy.example"], "x", [])
    with pytest.raises(UsageError, match=r"--token-peer 10\.0\.0\.7/8: this is no address"):
        peers_of([], "x", ["10.0.0.7/8"])
    key = key_in(tmp_path)
    assert key_in(tmp_path) == key
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(UsageError, match="too short to sign with"):
        key_in(tmp_path)


def test_the_roles_file_is_read_again_and_a_broken_one_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "roles"
    path.write_text(f"{digest('x')} desk.1 viewer\n")
    roles = RoleFile(path)
    assert len(roles()) == 1
    path.write_text(f"{digest('x')} desk.1 viewer\n{digest('y')} desk.2 operator\n")
    assert len(roles()) == 2
    path.write_text("nonsense")
    assert roles() == {}
    path.unlink()
    assert roles() == {}
    path.write_text(f"{digest('x')} desk.1 viewer\n")
    assert len(roles()) == 1


def test_what_is_not_ours_is_what_the_document_says() -> None:
    file = Path("streams/console/static/htmx.min.js")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == HTMX
    assert HTMX in Path("deploy/console.md").read_text()
    assert "Zero-Clause BSD" in Path("streams/console/static/htmx.LICENSE").read_text()


def test_its_connections_keep_little_of_the_file_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is open for each page that is being made: with the indexer's cache they took 600 MiB."""

    class Opened(Exception):
        """Ends the command."""

    def opened(_: object, **said: object) -> None:
        assert said == {"cache_kib": PAGES_CACHE_KIB}
        raise Opened

    assert PAGES_CACHE_KIB * 15 <= 128 * 1024, "of all connections of the pool"
    roles = tmp_path / "roles"
    roles.write_text(f"{digest('x')} desk.1 viewer\n")
    monkeypatch.setenv(variable("roles_file"), str(roles))
    monkeypatch.setattr(console, "open_engine", opened)
    with pytest.raises(Opened):
        console.console()
