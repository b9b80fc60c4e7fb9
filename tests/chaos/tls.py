"""Certificates for one run: an authority of its own, and one certificate for brokers and proxy."""

import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.wire.proxy import Tls

DAYS = "2"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: whom to trust, and a key with its chain."""

    authority: Path
    server: Path

    @property
    def tls(self) -> Tls:
        """Contexts for who stands between."""
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.server)
        client = ssl.create_default_context(cafile=self.authority)
        client.check_hostname = False
        return Tls(server, client)

    def listener(self, name: str) -> dict[str, str]:
        """What a broker is told, so that this listener speaks TLS."""
        head = f"listener.name.{name.lower()}.ssl"
        return {
            f"{head}.keystore.type": "PEM",
            f"{head}.keystore.location": str(self.server),
            f"{head}.truststore.type": "PEM",
            f"{head}.truststore.location": str(self.authority),
            f"{head}.client.auth": "none",
        }


def make(folder: Path, addresses: Sequence[str]) -> Certificates:
    """Make them with openssl. `addresses`: the IP addresses that a client may know us by."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key = folder / "authority.pem", folder / "authority.key"
    own, request, signed = folder / "server.key", folder / "server.csr", folder / "server.crt"
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-sha256")
    ours = ("-subj", "/CN=chaos", "-keyout", str(own), "-out", str(request))
    names = folder / "names.cnf"
    names.write_text("subjectAltName=" + ",".join(f"IP:{one}" for one in addresses) + "\n")
    _openssl(
        *new,
        "-x509",
        "-days",
        DAYS,
        "-subj",
        "/CN=chaos authority",
        "-keyout",
        str(key),
        "-out",
        str(authority),
    )
    _openssl(*new, *ours)
    _openssl(
        "x509",
        "-req",
        "-sha256",
        "-days",
        DAYS,
        "-in",
        str(request),
        "-CA",
        str(authority),
        "-CAkey",
        str(key),
        "-CAcreateserial",
        "-extfile",
        str(names),
        "-out",
        str(signed),
    )
    server = folder / "server.pem"
    server.write_text(own.read_text() + signed.read_text())
    return Certificates(authority, server)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(("openssl", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")
