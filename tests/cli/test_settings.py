"""Settings: what is refused, in which words; what is kept secret."""

import re
from pathlib import Path

import pytest

from streams.settings import (
    Settings,
    SettingsError,
    injected_names,
    kafka_client_kwargs,
    load,
    masked,
    origins,
    variable,
)
from streams.settings_checks import id_key


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def refusal(file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(file)
    return error.value.faults


def test_the_defaults_are_the_contracts() -> None:
    settings = load()
    assert settings.kafka_bootstrap_servers == "localhost:9092"
    assert settings.application_id == "byline"
    assert settings.topic_prefix == "byline."
    assert settings.http_host == "127.0.0.1"
    assert settings.require_approvals is False
    assert {path.stem for path in settings.policies.glob("*.yaml")} >= {"weibo", "douyin"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HTTP_PORT", "abc", "BYLINE_HTTP_PORT: 'abc' is not a port, from 1 to 65535"),
        ("HTTP_PORT", "70000", "BYLINE_HTTP_PORT: '70000' is not a port, from 1 to 65535"),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "broker",
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS: 'broker' is not host:port,"
            " several separated by commas",
        ),
        (
            "KAFKA_SASL_MECHANISM",
            "GSSAPI",
            "BYLINE_KAFKA_SASL_MECHANISM: 'GSSAPI' is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        ),
        (
            "INSTANCE_ID",
            "a b",
            "BYLINE_INSTANCE_ID: 'a b' is not letters, digits and . _ - only, at most 100",
        ),
        ("LOG_LEVEL", "loud", "BYLINE_LOG_LEVEL: 'loud' is not debug, info, warning or error"),
        ("LOG_FORMAT", "xml", "BYLINE_LOG_FORMAT: 'xml' is not text or json"),
        (
            "REQUIRE_APPROVALS",
            "perhaps",
            "BYLINE_REQUIRE_APPROVALS: 'perhaps' is not true or false",
        ),
        (
            "SESSION_TIMEOUT_SECONDS",
            "1",
            "BYLINE_SESSION_TIMEOUT_SECONDS: '1' is not a number of seconds, from 6 to 30",
        ),
        ("POLICIES", "/nowhere", "BYLINE_POLICIES: /nowhere is not a directory"),
        (
            "KAFKA_SSL_CAFILE",
            "/etc/hostname",
            "BYLINE_KAFKA_SSL_CAFILE: of no use; BYLINE_KAFKA_SECURITY_PROTOCOL is PLAINTEXT,"
            " did you mean SSL or SASL_SSL?",
        ),
        (
            "KAFKA_BOOTSTRAP_SERVER",
            "x:1",
            "BYLINE_KAFKA_BOOTSTRAP_SERVER: there is no such setting;"
            " did you mean BYLINE_KAFKA_BOOTSTRAP_SERVERS?",
        ),
        (
            "COLOUR",
            "red",
            "BYLINE_COLOUR: there is no such setting; `byline settings` lists those there are",
        ),
    ],
)
def test_a_bad_value_is_refused_in_these_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("BYLINE_" + name, value)
    assert refusal() == [message]


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYLINE_HTTP_PRT", "1")
    monkeypatch.setenv("BYLINE_HTTP_PORT", "none")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("BYLINE_POLICIES", "/nowhere")
    assert [fault.partition(":")[0] for fault in refusal()] == [
        "BYLINE_HTTP_PRT",
        "BYLINE_HTTP_PORT",
        "BYLINE_KAFKA_SASL_PASSWORD",
        "BYLINE_POLICIES",
    ]


def test_a_login_needs_its_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYLINE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    assert refusal() == [
        f"BYLINE_KAFKA_SASL_{part}: missing; BYLINE_KAFKA_SECURITY_PROTOCOL is SASL_SSL,"
        " which logs in"
        for part in ("MECHANISM", "USERNAME", "PASSWORD")
    ]


def test_a_certificate_needs_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "us.pem").write_text("")
    monkeypatch.setenv("BYLINE_KAFKA_SECURITY_PROTOCOL", "ssl")
    monkeypatch.setenv("BYLINE_KAFKA_SSL_CERTFILE", str(tmp_path / "us.pem"))
    assert refusal() == ["BYLINE_KAFKA_SSL_CERTFILE: a certificate and its key go together"]


def test_a_password_is_given_once_and_its_file_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYLINE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_USERNAME", "worker")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_PASSWORD_FILE", "/nowhere")
    assert refusal() == [
        "BYLINE_KAFKA_SASL_PASSWORD_FILE: give the password or a file, not both",
        "BYLINE_KAFKA_SASL_PASSWORD_FILE: /nowhere is not a file that can be read",
    ]


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    monkeypatch.setenv("BYLINE_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_MECHANISM", "scram-sha-256")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_USERNAME", "worker")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_PASSWORD", "hunter2")
    settings = load()
    assert "hunter2" not in repr(settings) + str(masked(settings))
    assert masked(settings)["kafka_sasl_password"] == "**********"
    assert kafka_client_kwargs(settings) == {
        "bootstrap_servers": ["localhost:9092"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "hunter2",
    }
    monkeypatch.delenv("BYLINE_KAFKA_SASL_PASSWORD")
    monkeypatch.setenv("BYLINE_KAFKA_SASL_PASSWORD_FILE", str(secret))
    assert kafka_client_kwargs(load())["sasl_plain_password"] == "hunter2"


def test_a_key_of_ids_is_given_once_and_is_long_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert id_key(load()) is None
    monkeypatch.setenv("BYLINE_ID_KEY", "too short")
    (fault,) = refusal()
    assert fault == (
        "BYLINE_ID_KEY: 9 bytes are too few for a key, give at least 16: openssl rand -hex 32"
    )
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    monkeypatch.setenv("BYLINE_ID_KEY_FILE", str(secret))
    assert refusal() == ["BYLINE_ID_KEY_FILE: give the key or a file, not both"]
    monkeypatch.delenv("BYLINE_ID_KEY")
    assert id_key(load()) == b"0123456789abcdef"
    assert "0123456789abcdef" not in str(masked(load()))
    monkeypatch.setenv("BYLINE_ID_KEY_FILE", "/nowhere")
    assert refusal() == ["BYLINE_ID_KEY_FILE: /nowhere is not a file that can be read"]


def test_tls_makes_a_context_that_checks_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYLINE_KAFKA_SECURITY_PROTOCOL", "SSL")
    context = kafka_client_kwargs(load())["ssl_context"]
    assert context.check_hostname


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "byline.env"
    file.write_text("# ours\nBYLINE_HTTP_PORT=9000\nBYLINE_APPLICATION_ID=second\nOTHER=1\n")
    monkeypatch.setenv("BYLINE_HTTP_PORT", "9001")
    settings = load(file)
    assert (settings.http_port, settings.application_id) == (9001, "second")
    found = origins(file)
    assert found["http_port"] == "environment"
    assert found["application_id"] == str(file)
    assert found["topic_prefix"] == "default"


def test_the_file_is_held_to_the_same_rules(tmp_path: Path) -> None:
    file = tmp_path / "byline.env"
    file.write_text("BYLINE_DATADIR=x\nBYLINE_LOG_LEVEL=loud\n")
    assert refusal(file) == [
        f"BYLINE_DATADIR (in {file}): there is no such setting; did you mean BYLINE_DATA_DIR?",
        "BYLINE_LOG_LEVEL: 'loud' is not debug, info, warning or error",
    ]
    assert refusal(tmp_path / "none") == [f"--settings: {tmp_path / 'none'} is not a file"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().http_port = 1  # type: ignore[misc]


KUBERNETES = {
    "BYLINE_SERVICE_HOST": "10.0.0.1",
    "BYLINE_SERVICE_PORT": "9464",
    "BYLINE_SERVICE_PORT_METRICS": "9464",
    "BYLINE_PORT": "tcp://10.0.0.1:9464",
    "BYLINE_PORT_9464_TCP": "tcp://10.0.0.1:9464",
    "BYLINE_PORT_9464_TCP_PROTO": "tcp",
    "BYLINE_PORT_9464_TCP_PORT": "9464",
    "BYLINE_PORT_9464_TCP_ADDR": "10.0.0.1",
    "BYLINE_HTTP_PORT": "tcp://10.0.0.2:8080",
    "BYLINE_HTTP_SERVICE_HOST": "10.0.0.2",
    "BYLINE_HTTP_PORT_8080_UDP_ADDR": "10.0.0.2",
}


def test_what_kubernetes_injects_for_services_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert load().http_port == 8080
    assert origins()["http_port"] == "default"
    assert injected_names() == sorted(KUBERNETES)


def test_a_name_of_ones_own_that_only_looks_like_kubernetes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BYLINE_PORT", "8080")
    assert refusal()[0].startswith("BYLINE_PORT: there is no such setting")


def test_a_host_may_have_an_underscore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYLINE_KAFKA_BOOTSTRAP_SERVERS", "host_with_underscore:9092")
    assert load().kafka_bootstrap_servers == "host_with_underscore:9092"


def test_variables_of_our_own_scripts_are_no_settings_and_are_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(__file__).parents[2]
    scripts = [root / "tests/run.sh", *(root / "deploy").glob("*.sh")]
    named = {name for it in scripts for name in re.findall(r"BYLINE_[A-Z_]+", it.read_text())}
    assert named
    for name in named:
        monkeypatch.setenv(name, "2")
    load()
