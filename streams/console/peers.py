"""Knows the trusted proxies that sign people in, and reads the user name from their header."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers

from streams.operate.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Peers:
    """The trusted proxies by address, and the header in which they state who asks.

    The header of any other peer is ignored. `tokens`: from where a token signs in beside this
    machine's own addresses.
    """

    networks: tuple[Network, ...] = ()
    header: str = "x-forwarded-user"
    tokens: tuple[Network, ...] = ()

    def trusts(self, host: str | None) -> bool:
        """Returns whether the peer at this address is one of the proxies."""
        address = _address(host)
        return address is not None and any(address in it for it in self.networks)

    def takes_tokens(self, host: str | None) -> bool:
        """Returns whether a person at this address may sign in with a token."""
        address = _address(host)
        if address is None or self.trusts(host):
            return False
        return address.is_loopback or any(address in it for it in self.tokens)

    def stated(self, host: str | None, headers: Headers) -> str | None:
        """Returns the name that a trusted proxy states; None: none is stated, or nobody may.

        Of two headers one may come from outside, through a proxy that adds its own. None counts.
        The name is UTF-8; bytes that are not could be read as another's, so they are nobody's.
        """
        found = headers.getlist(self.header)
        if not self.trusts(host) or len(found) != 1:
            return None
        try:
            # The server reads a header as Latin-1, which keeps its bytes.
            return found[0].encode("latin-1").decode().strip() or None
        except UnicodeError:
            return None

    def encrypted(self, host: str | None, headers: Mapping[str, str]) -> bool:
        """Returns whether a trusted proxy says that the browser came over TLS.

        Of several the first has said what the browser did.
        """
        first = headers.get("x-forwarded-proto", "").partition(",")[0]
        return self.trusts(host) and first.strip().lower() == "https"


def peers_of(proxies: list[str], header: str, tokens: list[str]) -> Peers:
    """Makes the lists of `--proxy` and `--token-peer` options.

    Raises UsageError for what is no address or network.
    """
    return Peers(_networks("--proxy", proxies), header.lower(), _networks("--token-peer", tokens))


def _networks(option: str, addresses: list[str]) -> tuple[Network, ...]:
    found = []
    for text in addresses:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise UsageError(
                f"{option} {text}: this is no address or network, like 10.0.0.7 or 10.0.0.0/28"
            ) from None
    return tuple(found)


def _address(host: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
