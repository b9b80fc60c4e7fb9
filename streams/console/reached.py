"""Tells by which way a request came: under which name, and whether something passed it on."""

import re
from urllib.parse import urlsplit

from starlette.requests import Request

from streams.console.site import Console

MACHINE = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names under which a machine reaches itself."""
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  compared with, not listened at
PASSED = frozenset({"forwarded", "via", "x-real-ip"})
"""Headers of what passes a request on, beside those that begin with `x-forwarded-`."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@\[\]]+)(:[0-9]{1,5})?")


def peer_of(request: Request) -> str:
    """Returns the address from which a request came; empty: it is not known."""
    return "" if request.client is None else request.client.host


def by_own_name(console: Console, request: Request) -> bool:
    """Returns whether a request names the console, and not a name that others lead to it.

    A page of another site may let its own name lead to this machine, and then read the answers. A
    listed proxy has chosen where a request goes, so its names count while no address is known.
    """
    address = console.settings.console_address
    if address is None and console.peers.trusts(peer_of(request)):
        return True
    name = _name(request)
    return name in _direct_names(console) or (address is not None and name == _host_in(address))


def directly(console: Console, request: Request) -> bool:
    """Returns whether nothing seems to have passed a request on: so a token may sign in.

    What ends TLS on this machine comes from 127.0.0.1, as a person here does. It names the
    console's address, or it says by a header that it passes on.
    """
    passed = PASSED | {console.peers.header}
    headers = request.headers.keys()
    if any(it in passed or it.startswith("x-forwarded-") for it in headers):
        return False
    return _name(request) in _direct_names(console)


def by_address(console: Console, request: Request) -> bool:
    """Returns whether a request was sent to BYLINE_CONSOLE_ADDRESS."""
    ours = urlsplit(console.settings.console_address or "")
    usual = {"http": ":80", "https": ":443"}.get(ours.scheme, "")
    named = request.headers.get("host", "").lower()
    return bool(ours.netloc) and ours.netloc.lower().removesuffix(usual) == named


def of_this_site(console: Console, request: Request) -> bool:
    """Returns whether a form is of a page of the console, as far as its Origin says."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    # Not taken apart: a text that is no address would be a fault of the parser.
    scheme, _, name = origin.partition("://")
    if name != request.headers.get("host"):
        return False
    ours = urlsplit(console.settings.console_address or "")
    return scheme == ours.scheme or not by_address(console, request)


def _name(request: Request) -> str:
    """Returns the Host header without its port; empty: there is none, or it is no name."""
    found = _HOST.fullmatch(request.headers.get("host", "").lower())
    return "" if found is None else found[1]


def _direct_names(console: Console) -> frozenset[str]:
    listening = console.settings.http_host.lower()
    return MACHINE if listening in WILDCARDS else MACHINE | {_bracketed(listening)}


def _host_in(address: str) -> str:
    return _bracketed(urlsplit(address).hostname or "")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
