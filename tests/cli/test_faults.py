"""Faults of start and login: exit code and cause, at once, from worker and verbs.

The whole table is `python -m tests.cli.faults`; here each login is tried without a process, and one
fault of each kind with worker and verb as they are shipped.
"""

from collections.abc import Iterator, Mapping

import pytest

from streams.kafka.login import knock
from streams.settings import SettingsError, kafka_client_kwargs, load
from tests.cli.fault_ground import FaultGround, ground
from tests.cli.fault_list import CliFault, files, logins, rights
from tests.cli.faults import attempt
from tests.tls.cluster import GuardedKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

WHOLE = (
    "wrong password",
    "broker's certificate expired",
    "no TLS to a port with TLS",
    "passphrase missing",
    "pipe among the policies",
    "DATA_DIR not writable",
    "no right to write throttles",
    "no right to transactional ids",
    "no right to Read byline.throttles",
)


@pytest.fixture(scope="module")
def on(guarded: GuardedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultGround]:
    with ground(guarded, tmp_path_factory.mktemp("ground")) as made:
        yield made


def put_on(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """The environment of a command, of this process."""
    for name, value in environment.items():
        if name.startswith("BYLINE_"):
            monkeypatch.setenv(name, value)


async def test_each_fault_of_a_login_is_told_from_a_kafka_that_is_away(
    on: FaultGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fault in logins(on):
        with monkeypatch.context() as patched:
            put_on(patched, on.environment("worker", fault.settings))
            answer = await knock(kafka_client_kwargs(load()))
        told = answer.fault if fault.worker == 2 else answer.silence
        assert told is not None, (fault.name, answer)
        assert fault.words.lower() in told.lower(), (fault.name, answer)


async def test_a_good_login_is_let_in(on: FaultGround, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on(monkeypatch, on.environment("worker", {}))
    answer = await knock(kafka_client_kwargs(load()))
    assert (answer.fault, answer.silence) == (None, None)


def test_each_fault_of_a_file_is_named_before_anything_is_connected(
    on: FaultGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [it for it in files(on) if any("_KAFKA_" in name for name in it.settings)]
    assert len(found) > 9
    for fault in found:
        if fault.obey_modes:
            continue
        with monkeypatch.context() as patched:
            put_on(patched, on.environment("worker", fault.settings))
            with pytest.raises(SettingsError) as refused:
                load()
        (told,) = refused.value.faults
        assert fault.words in told, fault.name


def test_a_passphrase_opens_the_key(on: FaultGround, monkeypatch: pytest.MonkeyPatch) -> None:
    (locked,) = (it.settings for it in files(on) if it.name == "passphrase missing")
    put_on(monkeypatch, on.environment("worker", locked))
    monkeypatch.setenv("BYLINE_KAFKA_SSL_KEY_PASSPHRASE", "open-sesame")
    assert "ssl_context" in kafka_client_kwargs(load())
    monkeypatch.delenv("BYLINE_KAFKA_SSL_KEY_PASSPHRASE")
    kept = on.file("passphrase", b"open-sesame\n")
    monkeypatch.setenv("BYLINE_KAFKA_SSL_KEY_PASSPHRASE_FILE", kept)
    assert "ssl_context" in kafka_client_kwargs(load())


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_worker_and_verb_say_it_within_ten_seconds(on: FaultGround, name: str) -> None:
    (fault,) = _named(on, name)
    tried = attempt(on, fault)
    assert tried.wrong == (), tried


def _named(on: FaultGround, name: str) -> list[CliFault]:
    return [it for every in (files, logins, rights) for it in every(on) if it.name == name]
