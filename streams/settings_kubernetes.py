"""Recognises environment variables that Kubernetes sets in every pod, which are no settings.

For a Service named `byline` it sets BYLINE_SERVICE_HOST, BYLINE_PORT=tcp://… and more; for one
named `byline-http` even BYLINE_HTTP_PORT=tcp://…, which is the name of a real setting.
"""

import re

_SERVICE = re.compile(r"BYLINE(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)")
_LINK = re.compile(
    r"BYLINE(_[A-Z0-9_]+)?_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?", re.IGNORECASE
)
_SCHEMES = ("tcp://", "udp://", "sctp://")


def injected(name: str, value: str | None) -> bool:
    """Whether Kubernetes has set this variable, and not a person."""
    name = name.upper()
    if name.startswith("BYLINE") and name.endswith("_PORT") and (value or "").startswith(_SCHEMES):
        return True
    return _SERVICE.fullmatch(name) is not None or _LINK.fullmatch(name) is not None
