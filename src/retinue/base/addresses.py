"""Which places an address given by a person may lead to: the public internet and the networks the house allows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx2

from retinue.base.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
# A name whose last part begins with a digit is an IPv4 address in disguise: 2130706433, 0x7f000001, 127.1.
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z][a-z0-9-]{0,62}\.?")

# What Python's `is_global` lets through and nobody outside may ask us to reach.
_NEVER = [
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments, two of which count as global
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
]
_PUBLIC_V6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


class AddressRefused(Invalid):
    """One sentence for every reason, so that the answer tells nothing about the networks around us."""

    code = "address-refused"
    title = "This address cannot be used: only public http(s) addresses on ports 80, 443 and 8000 to 9999 can"


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart once; what connects uses these parts and never parses again."""

    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path.decode('ascii')}"


def target_of(url: str, *, schemes: Iterable[str] = ("http", "https")) -> Target:
    if len(url) > MAX_URL_LENGTH or not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise AddressRefused
    try:
        parts = httpx2.URL(url)
        host = parts.raw_host.decode("ascii").lower()
    except (httpx2.InvalidURL, UnicodeError) as broken:
        raise AddressRefused from broken
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if parts.userinfo or not _is_host(host) or not _is_port_allowed(port):
        raise AddressRefused
    return Target(parts.scheme, host, port, parts.raw_path)


def is_reachable(address: Address, *, allow: Iterable[Network], own: Iterable[Address] = ()) -> bool:
    """`allow` goes before every other rule; `own` are addresses of this machine, public or not."""
    address = _unwrapped(address)
    if any(address in network for network in allow):
        return True
    return _is_public(address) and address not in {_unwrapped(mine) for mine in own}


def networks_of(texts: Iterable[str]) -> list[Network]:
    """From a setting: `10.0.0.0/8`, `192.168.1.7`, `fd00::/8`."""
    try:
        return [ip_network(text.strip(), strict=False) for text in texts]
    except ValueError as broken:
        raise Invalid("A network is written like 10.0.0.0/8 or fd00::/8") from broken


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return len(host) <= 253 and _NAME.fullmatch(host) is not None
    return "%" not in host  # a zone names one of our own interfaces


def _is_port_allowed(port: int) -> bool:
    return port in {80, 443} or 8000 <= port <= 9999


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where machines on the way would unwrap it too."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _NEVER)
