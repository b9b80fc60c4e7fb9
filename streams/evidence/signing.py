"""Makes the digest and the signature of a file, in the formats of sha256sum and openssl."""

import hashlib
from pathlib import Path

from streams.extras import to_install
from streams.operate.errors import UsageError


def digest_line(content: bytes, name: str) -> str:
    """Returns the line with the SHA-256 of a file that `sha256sum --check` reads."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def sign(content: bytes, key_file: Path) -> tuple[bytes, str]:
    """Signs content. Returns an Ed25519 signature (64 bytes) and the public key in PEM.

    Raises:
        UsageError: the package for signatures is missing, or the file is not a private Ed25519 key
            without a passphrase.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_private_key,
        )
    except ModuleNotFoundError:
        raise UsageError(
            f"a signature needs a package that is not installed: {to_install('signing')}"
        ) from None
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"--key {key_file}: {error.strerror}") from error
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"--key {key_file}: it is no Ed25519 private key in PEM without a passphrase:"
            " `openssl genpkey -algorithm ed25519 -out FILE` makes one"
        )
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.sign(content), public.decode()
