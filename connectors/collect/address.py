"""The client's address: found behind trusted proxies, and shortened so that it identifies no household."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IPV4_BITS: Final = 24
IPV6_BITS: Final = 48
MAX_HOPS: Final = 16


class TrustedProxies:
    """Proxies by network, whose ``X-Forwarded-For`` is believed."""

    def __init__(self, networks: str) -> None:
        """``networks`` are separated by commas, as in ``10.0.0.0/8,127.0.0.1``. Raises ValueError for any other."""
        self._networks = [ip_network(text.strip()) for text in networks.split(",") if text.strip()]

    def client_of(self, peer: str, forwarded_for: str) -> str:
        """Returns the address that the last trusted proxy saw; the peer's if the peer is no trusted proxy."""
        if not self._networks or not forwarded_for or not self._trusts(peer):
            return peer
        client = peer
        for hop in reversed(forwarded_for.split(",")[-MAX_HOPS:]):
            address = _parsed(hop.strip())
            if address is None:
                return client
            client = str(address)
            if not self._trusts(client):
                return client
        return client

    def _trusts(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._networks)


@lru_cache(maxsize=1 << 14)
def anonymised(text: str) -> str:
    """Returns the network of an address: 24 bits of IPv4, 48 bits of IPv6; "" for what is no address."""
    address = _parsed(text)
    if address is None:
        return ""
    bits = IPV4_BITS if isinstance(address, IPv4Address) else IPV6_BITS
    return str(ip_network(f"{address}/{bits}", strict=False).network_address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:  # a zone such as %eth0 is the sender's own affair
            return IPv6Network(int(address)).network_address
    return address
