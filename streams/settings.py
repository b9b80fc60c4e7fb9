"""Reads the settings from the environment (`BYLINE_…`) or a file, and checks them at the start.

The file named by `--settings` has dotenv format (`BYLINE_HTTP_PORT=8080`, `#` begins a comment);
the environment overrides it. No other code of the product reads the environment. An unknown
`BYLINE_…` name is an error in both places. All faults are reported at once (SettingsError).
"""

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic import model_validator as validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from streams.settings_checks import PREFIX, contradictions, password, tls_context, variable
from streams.settings_kubernetes import injected
from streams.settings_login import LoginFileError
from streams.settings_values import (
    Expected,
    Flag,
    Length,
    LogFormat,
    LogLevel,
    Name,
    OptionalMechanism,
    OptionalName,
    OptionalUrl,
    Partitions,
    Port,
    Prefix,
    Protocol,
    Ratio,
    Seconds,
    Servers,
    SessionSeconds,
)

TOOL_VARIABLES = frozenset(
    {"BYLINE_VENV", "BYLINE_PYTHON", "BYLINE_TEST_LIVES", "BYLINE_TEST_PROCESSES"}
)
"""Variables of deploy/setup.sh and tests/run.sh: the product neither uses nor refuses them."""
PACKAGE = Path(__file__).parent
CHECKOUT_POLICIES = PACKAGE.parent / "deploy" / "policies"
WHEEL_POLICIES = PACKAGE / "shipped_policies"


class SettingsError(Exception):
    """The settings are wrong. `faults` has one sentence for each fault, for the operator."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(["the settings are refused:", *(f"  {it}" for it in faults)]))


def _shipped_policies() -> Path:
    return CHECKOUT_POLICIES if CHECKOUT_POLICIES.is_dir() else WHEEL_POLICIES


class Settings(BaseSettings):
    """The settings of all commands: how to reach Kafka, names, folders, limits.

    A field's name is that of its environment variable without `BYLINE_`, in lower case.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        validate_default=True,
        # Of the two kinds of settings a process uses one.
        defer_build=True,
    )

    needs_policies: ClassVar[bool] = True

    kafka_bootstrap_servers: Servers = Field("localhost:9092", description="brokers to ask first")
    kafka_security_protocol: Protocol = Field("PLAINTEXT", description="how to talk to them")
    kafka_sasl_mechanism: OptionalMechanism = Field(None, description="how to log in")
    kafka_sasl_username: str | None = Field(None, description="whom to log in as")
    kafka_sasl_password: SecretStr | None = Field(None, description="its password")
    kafka_sasl_password_file: Path | None = Field(None, description="or a file that holds it")
    kafka_ssl_cafile: Path | None = Field(None, description="whom to trust; else the system's")
    kafka_ssl_certfile: Path | None = Field(None, description="our certificate")
    kafka_ssl_keyfile: Path | None = Field(None, description="its key")
    kafka_ssl_key_passphrase: SecretStr | None = Field(None, description="the key's, if it has one")
    kafka_ssl_key_passphrase_file: Path | None = Field(None, description="or a file that holds it")
    application_id: Name = Field(
        "byline", description="consumer group; begins transactional ids and changelogs"
    )
    topic_prefix: Prefix = Field("byline.", description="begins the name of every other topic")
    policies: Path = Field(
        default_factory=_shipped_policies, description="a directory with a file per platform"
    )
    data_dir: Path = Field(Path(".byline"), description="what a worker keeps on disk")
    database: SecretStr | None = Field(
        None, description="where the index is: an SQLAlchemy URL; default: SQLite in DATA_DIR"
    )
    index_retention: Length = Field(
        "P1098D", description="how long the index keeps a row, also when Kafka no longer has it"
    )
    instance_id: OptionalName = Field(
        None, description="a worker's name in the group; default: kept in DATA_DIR"
    )
    http_host: str = Field("127.0.0.1", description="where /metrics, /healthz and /readyz listen")
    http_port: Port = Field(8080, description="and on which port; a second worker takes the next")
    id_key: SecretStr | None = Field(
        None, description="a secret: no one else can compute invitation ids and digests of letters"
    )
    id_key_file: Path | None = Field(None, description="or a file that holds it")
    require_approvals: Flag = Field(
        False, description="ask two actors for a policy in enforce, a second one for a bulk"
    )
    rescan: str = Field(
        "", description="platforms (a,b) whose new policy may read all readings and labels again"
    )
    partitions: Partitions = Field(
        None, description="how many are in use, where topics got more than the state was built with"
    )
    favourable_only: Flag = Field(
        False, description="go on after inputs were lost, with nothing adverse (see byline worker)"
    )
    unconfirmed_after: Length = Field(
        "PT24H", description="an invitation without a receipt for longer is on the list unconfirmed"
    )
    roles_file: Path | None = Field(
        None,
        description="who may ask read API and console: lines of SHA-256-OF-TOKEN ACTOR ROLE[,ROLE]",
    )
    console_address: OptionalUrl = Field(
        None,
        description="how browsers reach the console: https://… (also its own name, for OIDC)",
    )
    oidc_issuer: OptionalUrl = Field(
        None, description="the OpenID provider that signs people in at the console; default: none"
    )
    oidc_client_id: str | None = Field(None, description="what the provider calls the console")
    oidc_client_secret: SecretStr | None = Field(
        None, description="its secret; default: a public client, by PKCE alone"
    )
    oidc_client_secret_file: Path | None = Field(None, description="or a file that holds it")
    oidc_scope: str = Field("openid", description="what is asked of the provider")
    oidc_claim: str = Field("sub", description="the claim of the id token that is the actor")
    oidc_actors_file: Path | None = Field(
        None, description="or whose digest has an actor here: lines of SHA-256-OF-CLAIM ACTOR"
    )
    access_retention: Length = Field(
        "P1098D", description="how long it is kept who asked the read API about whom"
    )
    acknowledged_within: Length = Field(
        "PT15M", description="a throttle event without an acknowledgement for longer is listed"
    )
    log_level: LogLevel = Field("info", description="the least that is logged")
    log_format: LogFormat = Field("text", description="for people or for programs")
    traces_endpoint: OptionalUrl = Field(
        None, description="where spans of transactions go, OTLP over HTTP; default: no traces"
    )
    traces_sample_ratio: Ratio = Field(
        1.0, description="the share of transactions whose span is sent"
    )
    start_timeout_seconds: Seconds = Field(
        60.0, description="how long to wait at start for brokers and topics"
    )
    commit_interval_seconds: Seconds = Field(
        1.0, description="the longest a position waits when there is nothing to say"
    )
    session_timeout_seconds: SessionSeconds = Field(
        10.0, description="after which a silent worker's partitions are given to others"
    )
    pure_python: bool = Field(
        False, description="do without the compiled part, if the wheel has one"
    )
    failpoint: str = Field("", description="for tests: where to die (streams/engine/failpoints.py)")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns pydantic's usual sources, without variables that Kubernetes sets."""
        assert isinstance(env_settings, EnvSettingsSource)
        env_settings.env_vars = {
            name: value
            for name, value in env_settings.env_vars.items()
            if not injected(name, value)
        }
        return init_settings, env_settings, dotenv_settings

    @validator(mode="after")
    def _consistent(self) -> Self:
        faults = list(contradictions(self))
        if faults:
            raise ValueError("\n".join(faults))
        return self


class SettingsWithoutPolicies(Settings):
    """Settings for commands that need no policy files, for instance `byline switch`."""

    needs_policies: ClassVar[bool] = False


SECRET_FIELDS = frozenset(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)


def load(file: Path | None = None, kind: type[Settings] = Settings) -> Settings:
    """Reads the settings from the environment and `file`.

    Raises:
        SettingsError: with all faults.
    """
    if file is not None:
        _refuse_unreadable(file)
    faults = list(_unknown_names(file))
    try:
        settings = kind(_env_file=file)
    except ValidationError as error:
        faults.extend(_refused_values(error))
        faults.extend(_hidden_contradictions(file, error, kind))
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    return settings


def wanted_log_format(file: Path | None = None) -> str:
    """Returns the log format, `json` or `text`, without reading the other settings.

    It lets a command log faults of the settings themselves in this format.
    """
    name = variable("log_format")
    in_file: Mapping[str, str | None] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        in_file = dotenv_values(file) if file is not None and file.is_file() else {}
    return "json" if (os.environ.get(name) or in_file.get(name)) == "json" else "text"


def _refuse_unreadable(file: Path) -> None:
    if not file.is_file():
        raise SettingsError([f"--settings: {file} is not a file"])
    try:
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        raise SettingsError([f"--settings: {file} {words}"]) from error


def origins(file: Path | None = None) -> dict[str, str]:
    """Returns, by field, where its value comes from: `environment`, the file's name, `default`."""
    in_file = {} if file is None else dotenv_values(file)
    found = {}
    for field in Settings.model_fields:
        name = variable(field)
        given = os.environ.get(name)
        here = (
            "environment"
            if given and not injected(name, given)
            else str(file)
            if in_file.get(name)
            else ""
        )
        found[field] = here or "default"
    return found


def injected_names() -> list[str]:
    """Returns the environment variables that look like settings but were set by Kubernetes."""
    return sorted(name for name, value in os.environ.items() if injected(name, value))


def masked(settings: Settings) -> dict[str, str | int | float | bool | None]:
    """Returns the values by field, for display; a secret is `********`."""
    return settings.model_dump(mode="json")


def kafka_security(settings: Settings) -> dict[str, Any]:
    """Returns the arguments of aiokafka's clients for protocol, TLS and login.

    Raises:
        SettingsError: a certificate or password file has become unusable since the settings were
            read.
    """
    arguments: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    try:
        if settings.kafka_security_protocol.endswith("SSL"):
            arguments["ssl_context"] = tls_context(settings)
        if settings.kafka_security_protocol.startswith("SASL"):
            arguments["sasl_mechanism"] = settings.kafka_sasl_mechanism
            arguments["sasl_plain_username"] = settings.kafka_sasl_username
            arguments["sasl_plain_password"] = password(settings)
    except LoginFileError as error:
        raise SettingsError([f"{variable(error.field)}: {error}"]) from error
    return arguments


def kafka_client_kwargs(settings: Settings) -> dict[str, Any]:
    """Returns the arguments that an aiokafka client needs to connect.

    Raises:
        SettingsError: as `kafka_security`.
    """
    servers = [server.strip() for server in settings.kafka_bootstrap_servers.split(",")]
    return {"bootstrap_servers": servers, **kafka_security(settings)}


def _unknown_names(file: Path | None) -> Iterator[str]:
    bare = [field.upper() for field in Settings.model_fields]
    known = {PREFIX + name for name in bare} | TOOL_VARIABLES
    places = {"": set(os.environ) - set(injected_names())}
    if file is not None:
        places[f" (in {file})"] = set(dotenv_values(file))
    for place, names in places.items():
        for name in sorted(names):
            if not name.upper().startswith(PREFIX) or name.upper() in known:
                continue
            near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), bare, 1)
            hint = (
                f"did you mean {PREFIX}{near[0]}?"
                if near
                else "`byline settings` lists those there are"
            )
            yield f"{name}{place}: there is no such setting; {hint}"


def _hidden_contradictions(
    file: Path | None, error: ValidationError, kind: type[Settings]
) -> Iterator[str]:
    """Yields further faults, found with default values in place of the refused ones."""
    refused = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    if not refused:
        return
    fields = Settings.model_fields
    defaults = {name: fields[name].get_default(call_default_factory=True) for name in refused}
    try:
        kind(_env_file=file, **defaults)
    except ValidationError as further:
        yield from _refused_values(further)


def _refused_values(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        if not fault["loc"]:
            yield from str(fault["ctx"]["error"]).splitlines()
            continue
        field = str(fault["loc"][0])
        value = "the value" if field in SECRET_FIELDS else repr(fault["input"])
        words = [m.words for m in Settings.model_fields[field].metadata if isinstance(m, Expected)]
        yield f"{variable(field)}: {value} is not {words[0] if words else fault['msg']}"
