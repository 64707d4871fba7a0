"""Where a name leads, and which addresses nothing of ours may ever be sent to.

Only resolved addresses are judged, never spellings: `getaddrinfo` reads `127.1`, `0x7f000001` and circled digits.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]


class Reach(Enum):
    """Who can answer at an address."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    FORBIDDEN = "forbidden"


LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]

# `is_global` of Python 3.11 calls many of these global: metadata services, translation prefixes that reach IPv4
# addresses by another spelling, multicast. A metadata service is forbidden even where private addresses are allowed.
FORBIDDEN = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host": Linux connects it to loopback
        "100.100.100.200/32",  # Alibaba metadata, inside the shared range
        "168.63.129.16/32",  # Azure platform address, formally public
        "169.254.0.0/16",  # link-local, metadata of most clouds
        "192.0.0.0/24",  # protocol assignments, Oracle metadata
        "192.88.99.0/24",  # 6to4 relay
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/96",  # unspecified, IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fd00:ec2::/32",  # AWS metadata
        "fd20:ce::/32",  # Google metadata
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
]

PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of `host`, in its order, each once. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def reach(text: str) -> Reach:
    """Say who can answer at an address. What is not an address, or has a zone (`%eth0`), is forbidden."""
    try:
        address = ip_address(text)
    except ValueError:
        return Reach.FORBIDDEN
    if any(address in network for network in LOOPBACK):
        return Reach.LOOPBACK
    if _is_zoned(address) or any(address in network for network in FORBIDDEN):
        return Reach.FORBIDDEN
    if any(address in network for network in PRIVATE):
        return Reach.PRIVATE
    return Reach.PUBLIC if address.is_global else Reach.FORBIDDEN


def _is_zoned(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and address.scope_id is not None
