"""The digest of a file and its signature, as sha256sum and openssl check them."""

import hashlib
from pathlib import Path

from streams.extras import to_install
from streams.operate.errors import UsageError


def digest_line(content: bytes, name: str) -> str:
    """As `sha256sum --check` reads it."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def sign(content: bytes, key_file: Path) -> tuple[bytes, str]:
    """An Ed25519 signature (64 bytes) and the public key in PEM, to be handed over another way.

    Raises UsageError for a file that is no private Ed25519 key without a passphrase.
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
