"""Reads the files of a Kafka login: certificates, keys and secrets.

They are checked whenever the settings are read, so that a bad file is reported within a second,
before any connection. The content of a file is never part of a message.
"""

import codecs
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOST_SECRET_BYTES = 64 * 1024
_EXPIRED, _NOT_YET = 10, 9


class LoginFileError(Exception):
    """A file cannot be used. `field`: the setting that names it. The message says why."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of TLS: trusted certificates, and the client's certificate with its key.

    `cafile`: None means the system's trusted certificates. `passphrase`: of the key, None without.
    """

    cafile: Path | None
    certfile: Path | None
    keyfile: Path | None
    passphrase: str | None = None

    def context(self) -> ssl.SSLContext:
        """Makes the context of a client that verifies the server.

        Raises:
            LoginFileError: a file cannot be used, or the client's certificate is not valid today.
        """
        context = ssl.create_default_context()
        if self.cafile is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _load_trusted(context, "kafka_ssl_cafile", self.cafile)
        if self.certfile is not None and self.keyfile is not None:
            _load_trusted(
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "kafka_ssl_certfile", self.certfile
            )
            _load_key(context, self.certfile, self.keyfile, self.passphrase)
            _check_dates(self.certfile, self.keyfile, self.passphrase)
        return context


def secret_in(field: str, path: Path) -> str:
    """Returns the secret in a file: its only line, without the line end.

    Raises:
        LoginFileError: the file is unreadable, empty, too large, has more than one line, or begins
            with a byte order mark.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LoginFileError(field, f"{path} is not a file that can be read")
        with path.open("rb") as file:
            raw = file.read(MOST_SECRET_BYTES + 1)
    except OSError as error:
        raise LoginFileError(field, f"{path} is not a file that can be read") from error
    if len(raw) > MOST_SECRET_BYTES:
        raise LoginFileError(field, f"{path} is too large for a secret")
    if raw.startswith(codecs.BOM_UTF8):
        # Nobody sees it. Left out, it would change an ID_KEY that was read with it before.
        words = f"{path} begins with a byte order mark: save it as UTF-8 without one"
        raise LoginFileError(field, words)
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise LoginFileError(field, f"{path} is not UTF-8") from error
    if not text:
        raise LoginFileError(field, f"{path} is empty")
    if "\n" in text or "\r" in text:
        raise LoginFileError(field, f"{path} has more than one line: a secret is one")
    return text


def _load_trusted(context: ssl.SSLContext, field: str, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        words = f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        raise LoginFileError(field, words) from error
    except OSError as error:
        raise LoginFileError(field, f"{path} is not a file that can be read") from error


class _Passphrase:
    """A callback that gives OpenSSL the passphrase, and remembers that it was called."""

    def __init__(self, passphrase: str | None) -> None:
        self._passphrase = passphrase
        self.asked = False

    def __call__(self) -> str:
        # Without a callback OpenSSL would ask on the terminal and wait.
        self.asked = True
        return self._passphrase or ""


def _load_key(
    context: ssl.SSLContext, certfile: Path, keyfile: Path, passphrase: str | None
) -> None:
    ask = _Passphrase(passphrase)
    try:
        context.load_cert_chain(certfile, keyfile, ask)
    except ssl.SSLError as error:
        if ask.asked and passphrase is None:
            words = f"{keyfile} is encrypted: its passphrase is missing"
            raise LoginFileError("kafka_ssl_key_passphrase", words) from error
        if ask.asked:
            words = f"it does not open {keyfile}"
            raise LoginFileError("kafka_ssl_key_passphrase", words) from error
        if "MISMATCH" in (error.reason or ""):
            words = f"{keyfile} is the key of another certificate than {certfile}"
            raise LoginFileError("kafka_ssl_keyfile", words) from error
        words = f"{keyfile} holds no key in PEM form (-----BEGIN PRIVATE KEY-----)"
        raise LoginFileError("kafka_ssl_keyfile", words) from error
    except (OSError, ValueError) as error:
        raise LoginFileError("kafka_ssl_keyfile", f"{keyfile} cannot be used ({error})") from error


def _check_dates(certfile: Path, keyfile: Path, passphrase: str | None) -> None:
    """Checks that the client's certificate is valid today, by a TLS handshake with itself.

    Raises:
        LoginFileError: it has expired or is not valid yet.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certfile, keyfile, _Passphrase(passphrase))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cafile=certfile)
    # The certificate itself is trusted, whoever signed it, so only its dates can be wrong.
    server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.load_cert_chain(certfile, keyfile, _Passphrase(passphrase))
    try:
        _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        when = {_EXPIRED: "has expired", _NOT_YET: "is not valid yet"}.get(error.verify_code)
        if when is not None:
            raise LoginFileError(
                "kafka_ssl_certfile", f"the certificate {certfile} {when}"
            ) from error
    except ssl.SSLError:
        # Other faults of this handshake may not occur with a broker.
        return


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server),
    ]
    waiting: list[Callable[[], None]] = [end.do_handshake for end in ends]
    for _ in range(10):
        for shake in [*waiting]:
            try:
                shake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(shake)
        if not waiting:
            return
