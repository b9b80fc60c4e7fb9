"""Free ports, and one small request that tells whether a broker answers and sees its peers."""

import secrets
import socket
import struct

HOST = "127.0.0.1"
LOWEST_PORT, HIGHEST_PORT = 12_000, 32_000
"""Below the kernel's ephemeral range: a client that keeps reconnecting to a dead broker may
otherwise be given that very port for its own end, and the broker cannot come back."""
METADATA_API, METADATA_VERSION = 3, 1


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of the loopback that nobody listens on. Somebody may take it before you do."""
    while True:
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        if is_free(port):
            return port


def brokers_seen(port: int, timeout_seconds: float = 1.0) -> int:
    """How many brokers are alive according to the one on this port; 0 if it does not answer.

    One Kafka Metadata request by hand: no client library, no event loop, no retries.
    """
    header = struct.pack(">hhih", METADATA_API, METADATA_VERSION, 1, -1)
    request = header + struct.pack(">i", 0)
    try:
        with socket.create_connection((HOST, port), timeout_seconds) as peer:
            peer.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 12:
                part = peer.recv(4096)
                if not part:
                    return 0
                answer += part
    except OSError:
        return 0
    return int(struct.unpack(">i", answer[8:12])[0])
