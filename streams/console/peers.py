"""Knows the trusted proxies that sign people in, and reads the user name from their header."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from streams.operate.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Peers:
    """The trusted proxies by address, and the header in which they state who asks.

    The header of any other peer is ignored.
    """

    networks: tuple[Network, ...] = ()
    header: str = "x-forwarded-user"

    def trusts(self, host: str | None) -> bool:
        """Returns whether the peer at this address is one of the proxies."""
        address = _address(host)
        return address is not None and any(address in it for it in self.networks)

    def stated(self, host: str | None, headers: Mapping[str, str]) -> str | None:
        """Returns the name that a trusted proxy states; None: none is stated, or nobody may."""
        if not self.trusts(host):
            return None
        return headers.get(self.header, "").strip() or None

    def encrypted(self, host: str | None, headers: Mapping[str, str]) -> bool:
        """Returns whether a trusted proxy says that the browser came over TLS."""
        return self.trusts(host) and headers.get("x-forwarded-proto", "") == "https"


def local(host: str | None) -> bool:
    """Returns whether an address is this machine's own (127.0.0.1, ::1)."""
    address = _address(host)
    return address is not None and address.is_loopback


def peers_of(addresses: list[str], header: str) -> Peers:
    """Makes the list of `--proxy` options. Raises UsageError for what is no address or network."""
    found = []
    for text in addresses:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise UsageError(
                f"--proxy {text}: this is no address or network, like 10.0.0.7 or 10.0.0.0/28"
            ) from None
    return Peers(tuple(found), header.lower())


def _address(host: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
