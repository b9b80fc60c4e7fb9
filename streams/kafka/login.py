"""Distinguishes a login that a person has to fix from a broker that is down.

aiokafka reports "unable to bootstrap" for a wrong password, a bad certificate, a port of another
service and a broker that is down, partly after half a minute. Requests of our own distinguish them
within seconds; aiokafka does the login itself.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.kafka.greeting import STEP_SECONDS, GreetingFault, Silence, greet

LIMIT_SECONDS = 8.0
"""The time limit for all servers together; commands must report a fault within ten seconds."""


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """The result of a login attempt. Without `fault` and `silence` it succeeded.

    `fault`: what a person has to fix, in a sentence. `silence`: why no broker answers; waiting may
    help.
    """

    fault: str | None = None
    silence: str | None = None


async def knock(arguments: Mapping[str, Any]) -> LoginAnswer:
    """Tries to log in at each server until one accepts. `arguments`: of an aiokafka client.

    Returns success, or the most useful of the failures.
    """
    first: LoginAnswer | None = None
    servers = arguments["bootstrap_servers"]
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            for host, port, _ in collect_hosts(servers, randomize=False):
                answer = await _knock_at(host, port, arguments)
                if answer == LoginAnswer():
                    return answer
                if first is None or (answer.fault and not first.fault):
                    first = answer
    except TimeoutError:
        pass
    return first or LoginAnswer(silence=f"no answer within {LIMIT_SECONDS:.0f} s")


async def _knock_at(host: str, port: int, arguments: Mapping[str, Any]) -> LoginAnswer:
    connection = {
        name: value
        for name, value in arguments.items()
        if name in ("ssl_context", "security_protocol") or name.startswith("sasl_")
    }
    logs_in = str(connection.get("security_protocol", "")).startswith("SASL")
    context: ssl.SSLContext | None = connection.get("ssl_context")
    try:
        await asyncio.to_thread(greet, host, port, context, logs_in)
        if logs_in:
            await _log_in(host, port, connection)
    except GreetingFault as fault:
        return LoginAnswer(fault=str(fault))
    except Silence as silence:
        return LoginAnswer(silence=str(silence))
    return LoginAnswer()


async def _log_in(host: str, port: int, connection: Mapping[str, Any]) -> None:
    where = f"Kafka at {host}:{port}"
    limit = int(STEP_SECONDS * 1000)
    try:
        found = await create_conn(host, port, request_timeout_ms=limit, **connection)
    except (SaslAuthenticationFailed, AuthenticationFailedError) as error:
        user = connection.get("sasl_plain_username")
        raise GreetingFault(
            f"{where} refuses the login of {user}: user name or password is wrong"
        ) from error
    except UnsupportedSaslMechanismError as error:
        mechanism = connection.get("sasl_mechanism")
        raise GreetingFault(
            f"{where} knows no login by {mechanism}: set another BYLINE_KAFKA_SASL_MECHANISM"
        ) from error
    except IllegalSaslStateError as error:
        protocol = "SSL" if connection.get("ssl_context") else "PLAINTEXT"
        raise GreetingFault(
            f"{where} wants no login: set BYLINE_KAFKA_SECURITY_PROTOCOL to {protocol}, or name the"
            " port for logins"
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Silence(f"the connection broke while logging in ({type(error).__name__})") from error
    found.close()
