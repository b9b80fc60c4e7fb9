"""Finds free ports, and asks a broker how many brokers it sees."""

import secrets
import socket
import struct

HOST = "127.0.0.1"
LOWEST_PORT, HIGHEST_PORT = 12_000, 32_000
"""The range is below the kernel's ephemeral ports. Otherwise a client that reconnects to a stopped
broker may get that port as its own, and the broker could not start again."""
METADATA_API, METADATA_VERSION = 3, 1


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Returns a free port of the loopback interface. Another process may still take it first."""
    while True:
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        if is_free(port):
            return port


def brokers_seen(port: int, timeout_seconds: float = 1.0) -> int:
    """Returns how many live brokers the broker on this port sees; 0 if it does not answer.

    It sends one Metadata request, without a client library and without retries.
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
