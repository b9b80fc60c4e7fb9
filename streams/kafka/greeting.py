"""Finds out what listens at an address: a Kafka with the configured protocol, or something else.

It uses blocking sockets and no client library, because a client library hides TLS alerts and
answers of other protocols.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STEP_SECONDS = 3.0
"""The time limit of one connection, handshake or answer."""
MOST_BYTES = 1_000_000

API_VERSIONS, SASL_HANDSHAKE = 18, 17
ILLEGAL_SASL_STATE = 34
PROTOCOL = "BYLINE_KAFKA_SECURITY_PROTOCOL"
CAFILE = "BYLINE_KAFKA_SSL_CAFILE"

_TLS_ALERT = b"\x15\x03"
_WEB = b"HTTP/"
_EXPIRED = frozenset({9, 10})
_WRONG_HOST = frozenset({62, 64})
_ISSUER_UNKNOWN = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's numbers of certificate errors (X509_V_ERR_…), in three groups."""
_OURS_REFUSED = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


class GreetingFault(Exception):
    """A fault that a person has to fix, in one sentence."""


class Silence(Exception):
    """No answer, with the reason. Waiting may help."""


class _OtherTalk(Exception):
    """The answer is not of Kafka's protocol; `first` holds its first bytes."""

    def __init__(self, first: bytes) -> None:
        super().__init__(first)
        self.first = first


def greet(host: str, port: int, context: ssl.SSLContext | None, logs_in: bool) -> None:
    """Asks for the API versions, to check that Kafka listens with the expected protocol.

    `context`: use TLS with it; None: no TLS. `logs_in`: the client will log in by SASL.

    Raises:
        GreetingFault: something else is expected there, with what a person must change.
        Silence: nothing answers.
    """
    where = f"Kafka at {host}:{port}"
    try:
        with _connected(host, port) as plain:
            talk = plain if context is None else context.wrap_socket(plain, server_hostname=host)
            with talk:
                _ask(talk, API_VERSIONS)
                if not logs_in:
                    _refuse_if_login_is_wanted(talk, where, context is not None)
    except ssl.SSLCertVerificationError as error:
        raise GreetingFault(_not_trusted(where, host, error)) from error
    except ssl.SSLError as error:
        _judge_tls(host, port, error)
    except _OtherTalk as talk_of_others:
        _judge_bytes(host, port, talk_of_others.first)
    except TimeoutError as error:
        if _is_web(host, port):
            _judge_bytes(host, port, _WEB)
        raise Silence("it takes connections and says nothing") from error
    except (EOFError, OSError) as error:
        _judge_end(host, port, context, error)


@contextmanager
def _connected(host: str, port: int) -> Iterator[socket.socket]:
    """Opens a connection.

    Raises:
        Silence: that fails.
    """
    try:
        found = socket.create_connection((host, port), STEP_SECONDS)
    except socket.gaierror as error:
        raise Silence(f"no address is known for {host}") from error
    except TimeoutError as error:
        raise Silence("no connection comes about") from error
    except OSError as error:
        raise Silence((error.strerror or str(error)).lower()) from error
    with found:
        found.settimeout(STEP_SECONDS)
        yield found


def _ask(talk: socket.socket, api: int, body: bytes = b"") -> bytes:
    """Sends a request in its first version. Returns the body of the response.

    Raises:
        _OtherTalk: the answer is not of Kafka's protocol.
    """
    name = b"byline"
    head = struct.pack(f">hhih{len(name)}s", api, 0, 1, len(name), name)
    talk.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    first = _read(talk, 4)
    (size,) = struct.unpack(">i", first)
    if not 4 <= size <= MOST_BYTES:
        raise _OtherTalk(first)
    return _read(talk, size)[4:]


def _read(talk: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = talk.recv(count - len(found))
        if not more:
            if found:
                raise _OtherTalk(found)
            raise EOFError("the connection was closed")
        found += more
    return found


def _refuse_if_login_is_wanted(talk: socket.socket, where: str, tls: bool) -> None:
    """Checks that the listener does not require a login.

    Raises:
        GreetingFault: it does, with its login mechanisms.
    """
    mechanism = b"PLAIN"
    try:
        answer = _ask(talk, SASL_HANDSHAKE, struct.pack(">h", len(mechanism)) + mechanism)
    except (OSError, EOFError, _OtherTalk):
        return
    error, count = struct.unpack_from(">hi", answer)
    if error == ILLEGAL_SASL_STATE:
        return
    names, at = [], 6
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode(errors="replace"))
        at += 2 + length
    raise GreetingFault(
        f"{where} wants a login ({', '.join(names)}): set {PROTOCOL} to"
        f" {'SASL_SSL' if tls else 'SASL_PLAINTEXT'}, with user name and password"
    )


def _not_trusted(where: str, host: str, error: ssl.SSLCertVerificationError) -> str:
    """Returns what is wrong with the broker's certificate, and what a person must do."""
    found = error.verify_message.rstrip(".")
    says = f"the certificate of {where} is not to be trusted: {found}"
    if error.verify_code in _EXPIRED:
        return f"{says}. Who runs the broker has to renew it"
    if error.verify_code in _WRONG_HOST:
        return f"{says}. Name the broker as its certificate does, or have {host} put into it"
    if error.verify_code in _ISSUER_UNKNOWN:
        return f"{says}. {CAFILE} has to hold the certificate of who signed it"
    return says


def _judge_tls(host: str, port: int, error: ssl.SSLError) -> None:
    where, reason = f"Kafka at {host}:{port}", error.reason or str(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        _judge_end(host, port, ssl.create_default_context(), error)
    if "ALERT" in reason and any(word in reason for word in _OURS_REFUSED):
        words = reason.rpartition("ALERT_")[2].lower().replace("_", " ")
        raise GreetingFault(
            f"{where} does not take our certificate ({words}): BYLINE_KAFKA_SSL_CERTFILE and"
            " BYLINE_KAFKA_SSL_KEYFILE have to hold one that it trusts"
        ) from error
    if _talks_plain(host, port):
        raise GreetingFault(_without_tls(where)) from error
    if _is_web(host, port):
        _judge_bytes(host, port, _WEB)
    words = reason.lower().replace("_", " ")
    raise GreetingFault(f"no TLS with {where} ({words}): check {PROTOCOL}, port and certificates")


def _judge_bytes(host: str, port: int, first: bytes) -> None:
    if first.startswith(_TLS_ALERT):
        raise GreetingFault(_with_tls(f"Kafka at {host}:{port}"))
    what = "a web server" if _WEB.startswith(first[:5]) and first else "something that is no Kafka"
    raise GreetingFault(
        f"{what} answers at {host}:{port}: BYLINE_KAFKA_BOOTSTRAP_SERVERS has to name Kafka"
    )


def _judge_end(host: str, port: int, context: ssl.SSLContext | None, error: BaseException) -> None:
    """Raises the error for a connection that was closed at once.

    Raises:
        GreetingFault: the listener expects TLS, or none, or is a web server.
        Silence: the reason is unknown.
    """
    if context is None and _talks_tls(host, port):
        raise GreetingFault(_with_tls(f"Kafka at {host}:{port}")) from error
    if context is not None and _talks_plain(host, port):
        raise GreetingFault(_without_tls(f"Kafka at {host}:{port}")) from error
    if _is_web(host, port):
        _judge_bytes(host, port, _WEB)
    raise Silence("it closes the connection") from error


def _with_tls(where: str) -> str:
    return (
        f"{where} talks TLS only: set {PROTOCOL} to SSL or SASL_SSL, or name the port without TLS"
    )


def _without_tls(where: str) -> str:
    return (
        f"{where} talks without TLS: set {PROTOCOL} to PLAINTEXT or SASL_PLAINTEXT, or name the"
        " port for TLS"
    )


def _talks_plain(host: str, port: int) -> bool:
    with suppress(OSError, EOFError, Silence, _OtherTalk), _connected(host, port) as plain:
        _ask(plain, API_VERSIONS)
        return True
    return False


def _talks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError, EOFError, Silence),
        _connected(host, port) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        return True
    return False


def _is_web(host: str, port: int) -> bool:
    with suppress(OSError, EOFError, Silence), _connected(host, port) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return plain.recv(5).startswith(_WEB)
    return False
