"""Checks the settings of sign-in by an OpenID provider."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

NAMING = frozenset(
    {
        "email",
        "family_name",
        "given_name",
        "middle_name",
        "name",
        "nickname",
        "phone_number",
        "preferred_username",
        "upn",
    }
)
"""Claims that name a person, or that a person may choose: never an actor by themselves."""
TOGETHER = ("oidc_issuer", "oidc_client_id", "console_address")


def is_private(address: str) -> bool:
    """Returns whether nobody on the way can read or change what goes to an address."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    )


def faults_of_oidc(settings: Any) -> Iterator[tuple[str, str]]:
    """Yields each fault: the field, and what to do."""
    if settings.oidc_issuer is None:
        if settings.oidc_client_id is not None:
            yield "oidc_client_id", "of no use without BYLINE_OIDC_ISSUER"
        return
    for field in TOGETHER:
        if getattr(settings, field) is None:
            yield field, "missing; BYLINE_OIDC_ISSUER needs it"
    for field in ("oidc_issuer", "console_address"):
        value = getattr(settings, field)
        if value is not None and not is_private(value):
            yield field, "give an https:// address (http:// for this machine's own alone)"
    if settings.oidc_claim in NAMING and settings.oidc_actors_file is None:
        yield (
            "oidc_claim",
            f"{settings.oidc_claim} names a person, or a person may choose it: give the default"
            " (sub), or BYLINE_OIDC_ACTORS_FILE, which gives each an opaque actor",
        )
    if "openid" not in settings.oidc_scope.split():
        yield "oidc_scope", "openid has to be among its words"
