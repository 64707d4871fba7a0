"""Which addresses of the web the operator allows, decided on one strict reading of the URL.

The parts found here are the parts that are used: no second parser sees the text, so none can read it differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from incidents.connectors.addresses import Reach
from incidents.connectors.base import Limits

MAX_LENGTH = 2_000
DEFAULT_PORTS = {"https": 443, "http": 80}
_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class Url:
    """One address, taken apart: lower-case ASCII host, explicit port, path with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Name host and port only: a path or query may carry a secret and belongs in no message."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse(text: object) -> Url:
    """Read a URL strictly. Raises `ValueError` with a sentence for whoever typed it."""
    if not isinstance(text, str) or not text:
        raise ValueError("A URL is needed.")
    if len(text) > MAX_LENGTH or not _VISIBLE.fullmatch(text) or "\\" in text:
        raise ValueError(
            "The URL must be plain ASCII without spaces or backslashes; write international names as xn--…."
        )
    parts = urlsplit(text)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("The URL must start with https://.")
    if "@" in parts.netloc:
        raise ValueError("The URL must not carry a user name or password; store a secret with the connector instead.")
    if "#" in text:
        raise ValueError("The URL must not have a fragment (#…).")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, _host(parts), _port(parts), path)


def _port(parts: SplitResult) -> int:
    port = parts.port  # ValueError says "Port out of range …", which is a sentence
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("The URL has an empty port.")
    return port or DEFAULT_PORTS[parts.scheme]


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return _literal(IPv6Address, host)
    if _NUMERIC_END.fullmatch(host):
        return _literal(IPv4Address, host)
    if not _NAME.fullmatch(host):
        raise ValueError("The URL has no usable host name.")
    return host


def _literal(kind: type[IPv4Address | IPv6Address], host: str) -> str:
    try:
        address = kind(host)
    except ValueError:
        raise ValueError(f"{host!r} is neither a host name nor an address in its usual form.") from None
    if "%" in host:
        raise ValueError("An address with a zone (%…) cannot be used.")
    return str(address)


def problems(text: object, limits: Limits) -> list[str]:
    """Return sentences why nothing may be sent to this URL under the operator's settings."""
    try:
        url = parse(text)
    except ValueError as error:
        return [str(error)]
    if not is_listed(url, limits.allowed_hosts):
        return [f"{url.place} is not in LASTGOOD_OUTBOUND_HOSTS; the operator has to add it there."]
    if url.scheme == "http" and not is_listed(url, limits.allow_plain_http_hosts):
        return [f"{url.place} may only be reached over https://."]
    return []


def is_listed(url: Url, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns (`host`, `host:port`, `*.domain:port`, `[v6]:port`) names this place."""
    return any(_matches(pattern.strip().lower(), url) for pattern in patterns)


def _matches(pattern: str, url: Url) -> bool:
    name, port = _split(pattern)
    if port != url.port:
        return False
    if name.startswith("*."):
        return url.host.endswith(name[1:]) and not _NUMERIC_END.fullmatch(url.host)
    return name == url.host


def _split(pattern: str) -> tuple[str, int]:
    name, colon, port = pattern.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return pattern.strip("[]"), DEFAULT_PORTS["https"]


def permitted(url: Url, limits: Limits) -> frozenset[Reach]:
    """Say which kinds of address this place may resolve to. Without TLS that is loopback and nothing else."""
    if url.scheme == "http":
        return frozenset({Reach.LOOPBACK})
    if is_listed(url, limits.allow_private_hosts):
        return frozenset({Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK})
    return frozenset({Reach.PUBLIC})
