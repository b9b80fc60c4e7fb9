"""Certificates of a test: good ones, and each kind of bad one that an operator meets."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as objects and as files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certfile: Path
    keyfile: Path

    def both(self, path: Path) -> Path:
        """Key and certificate in one file: what Kafka calls a PEM keystore."""
        path.write_bytes(self.keyfile.read_bytes() + self.certfile.read_bytes())
        return path

    def locked(self, path: Path, passphrase: str) -> Path:
        """The key once more, under a passphrase."""
        path.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(passphrase.encode()),
            )
        )
        return path


class Authority:
    """Signs certificates; `cafile` is what those who trust it are given."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._pair = self._make(name, None, (), -DAY, 3650 * DAY)
        self.cafile = self._pair.certfile

    def issue(
        self,
        name: str,
        hosts: Sequence[str] = (HOST, "localhost"),
        *,
        begins: timedelta = -DAY,
        ends: timedelta = 30 * DAY,
    ) -> Pair:
        """A certificate for `hosts`, valid from and until so long from now; CN is `name`."""
        return self._make(name, self._pair, hosts, begins, ends)

    def _make(
        self,
        name: str,
        by: Pair | None,
        hosts: Sequence[str],
        begins: timedelta,
        ends: timedelta,
    ) -> Pair:
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if by is None else by.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_name_of(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(key if by is None else by.key, hashes.SHA256())
        certfile, keyfile = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certfile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        keyfile.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Pair(certificate, key, certfile, keyfile)


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
