"""Checks that settings fit together and that the files they name exist."""

import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from streams.settings_login import LoginFileError, TlsFiles, secret_in
from streams.settings_oidc import faults_of_oidc

PREFIX = "BYLINE_"
SHORTEST_ID_KEY = 16
"""In bytes: shorter ones could be found by trying all."""


def variable(field: str) -> str:
    """Returns the environment variable of a field."""
    return PREFIX + field.upper()


def contradictions(settings: Any) -> Iterator[str]:
    """Yields a sentence for each fault, with what to do. `settings`: a `Settings`."""
    protocol = settings.kafka_security_protocol
    login = {
        "kafka_sasl_mechanism": settings.kafka_sasl_mechanism,
        "kafka_sasl_username": settings.kafka_sasl_username,
        "kafka_sasl_password": settings.kafka_sasl_password or settings.kafka_sasl_password_file,
    }
    tls = ("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile")
    given = variable("kafka_security_protocol") + f" is {protocol}"
    for field, value in login.items():
        if protocol.startswith("SASL") and not value:
            yield f"{variable(field)}: missing; {given}, which logs in"
        if not protocol.startswith("SASL") and value:
            yield f"{variable(field)}: of no use; {given}, did you mean SASL_SSL?"
    keys = ("kafka_ssl_key_passphrase", "kafka_ssl_key_passphrase_file")
    for field in (*tls, *keys):
        if getattr(settings, field) and not protocol.endswith("SSL"):
            yield f"{variable(field)}: of no use; {given}, did you mean SSL or SASL_SSL?"
    secrets = (
        ("kafka_sasl_password", "password"),
        (keys[0], "passphrase"),
        ("id_key", "key"),
        ("oidc_client_secret", "secret"),
    )
    for secret, word in secrets:
        if getattr(settings, secret) and getattr(settings, f"{secret}_file"):
            yield f"{variable(secret + '_file')}: give the {word} or a file, not both"
    if bool(settings.kafka_ssl_certfile) != bool(settings.kafka_ssl_keyfile):
        yield f"{variable('kafka_ssl_certfile')}: a certificate and its key go together"
    yield from _faults_of_files(settings, ("kafka_sasl_password_file", *tls, keys[1]))
    yield from _faults_of_id_key(settings)
    for field, words in faults_of_oidc(settings):
        yield f"{variable(field)}: {words}"
    try:
        oidc_client_secret(settings)
    except LoginFileError as error:
        yield f"{variable(error.field)}: {error}"
    if settings.needs_policies and not settings.policies.is_dir():
        yield f"{variable('policies')}: {settings.policies} is not a directory"


def _faults_of_files(settings: Any, fields: tuple[str, ...]) -> Iterator[str]:
    """Yields the faults of each login file; if there are none, those of all files together."""
    unread = False
    for field in fields:
        path = getattr(settings, field)
        if path and not (path.is_file() and os.access(path, os.R_OK)):
            unread = True
            yield f"{variable(field)}: {path} is not a file that can be read"
    if unread:
        return
    protocol = settings.kafka_security_protocol
    for used, needed in ((password, "SASL" in protocol), (tls_context, protocol.endswith("SSL"))):
        try:
            if needed:
                used(settings)
        except LoginFileError as error:
            yield f"{variable(error.field)}: {error}"


def _faults_of_id_key(settings: Any) -> Iterator[str]:
    """Names what is wrong with `ID_KEY`: a file that cannot be read, a key that is too short."""
    try:
        key = id_key(settings)
    except LoginFileError as error:
        yield f"{variable(error.field)}: {error}"
        return
    if key is not None and len(key) < SHORTEST_ID_KEY:
        field = "id_key" if settings.id_key_file is None else "id_key_file"
        yield (
            f"{variable(field)}: {len(key)} bytes are too few for a key, give at least"
            f" {SHORTEST_ID_KEY}: openssl rand -hex 32"
        )


def id_key(settings: Any) -> bytes | None:
    """Returns the secret under which invitation ids and digests of dead letters are made.

    Raises:
        LoginFileError: its file cannot be read.
    """
    key = _secret(settings, "id_key")
    return None if key is None else key.encode()


def password(settings: Any) -> str | None:
    """Returns the password, from its setting or its file; None if there is none.

    Raises:
        LoginFileError: the file cannot be used.
    """
    return _secret(settings, "kafka_sasl_password")


def oidc_client_secret(settings: Any) -> str | None:
    """Returns what the console shows the OpenID provider; None for a public client.

    Raises:
        LoginFileError: its file cannot be used.
    """
    return _secret(settings, "oidc_client_secret")


def tls_context(settings: Any) -> ssl.SSLContext:
    """Makes the TLS context of these settings.

    Raises:
        LoginFileError: a file cannot be used.
    """
    return TlsFiles(
        settings.kafka_ssl_cafile,
        settings.kafka_ssl_certfile,
        settings.kafka_ssl_keyfile,
        _secret(settings, "kafka_ssl_key_passphrase"),
    ).context()


def _secret(settings: Any, field: str) -> str | None:
    """Returns a secret from its setting `field`, or from the file in `field`_file; None without.

    Raises:
        LoginFileError: the file cannot be used.
    """
    file: Path | None = getattr(settings, f"{field}_file")
    if file is not None:
        return secret_in(f"{field}_file", file)
    secret = getattr(settings, field)
    return None if secret is None else str(secret.get_secret_value())


def secret_values(settings: Any, fields: Iterable[str]) -> Iterator[str]:
    """Yields the secrets of these fields, from settings and from files that can be read."""
    for field in fields:
        secret = getattr(settings, field)
        if secret is not None:
            yield str(secret.get_secret_value())
        file: Path | None = getattr(settings, f"{field}_file", None)
        if file is not None:
            with suppress(LoginFileError, OSError):
                yield secret_in(f"{field}_file", file)
