"""Why Kafka does not let us in: what a person has to mend, told apart from a broker that is away.

aiokafka says "unable to bootstrap" of a wrong password, a bad certificate and a broker that is down
alike. One connection of our own tells them apart.
"""

import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

CONNECT_MS = 5_000


async def login_fault(arguments: Mapping[str, Any]) -> str | None:
    """One sentence on what is wrong with login or certificate; None when it is neither.

    `arguments` are those of an aiokafka client.
    """
    connection = {
        name: value
        for name, value in arguments.items()
        if name in ("ssl_context", "security_protocol") or name.startswith("sasl_")
    }
    for host, port, _ in collect_hosts(arguments["bootstrap_servers"]):
        where = f"Kafka at {host}:{port}"
        try:
            found = await create_conn(host, port, request_timeout_ms=CONNECT_MS, **connection)
        except (SaslAuthenticationFailed, AuthenticationFailedError):
            user = connection.get("sasl_plain_username")
            return f"{where} refuses the login of {user}: user name or password is wrong"
        except (UnsupportedSaslMechanismError, IllegalSaslStateError):
            mechanism = connection.get("sasl_mechanism")
            return f"{where} knows no login by {mechanism}: set another SASL mechanism"
        except ssl.SSLCertVerificationError as error:
            return f"the certificate of {where} is not to be trusted: {error.verify_message}"
        except ssl.SSLError as error:
            return f"no TLS with {where}: {error.reason}. Check protocol, port and certificates"
        except (KafkaError, OSError, TimeoutError):
            continue
        found.close()
        return None
    return None
