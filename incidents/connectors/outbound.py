"""One HTTP exchange with a place the operator allows: resolve once, check every address, pin, follow nothing, cap all.

This is httpcore2, the layer below httpx2: it takes a network backend, and does nothing unasked (no redirects, no
proxies from the environment, no cookies, no decompression).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Thread

import httpcore2

from incidents.connectors import failure, urls
from incidents.connectors.addresses import reach
from incidents.connectors.base import Limits
from incidents.connectors.failure import Forbidden, NotSent
from incidents.connectors.urls import Url
from incidents.connectors.watch import NotOurs, OutOfTime, Watch
from incidents.connectors.wire import Wire

PRINTABLE = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. Header values and body are sent as they are."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, of which at most `max_body` bytes were read; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool
    peer: str


def exchange(request: Request, limits: Limits, watch: Watch) -> Reply:
    """Send one request and read its answer. Raises `NotSent`, `Forbidden` or `NoAnswer`, never anything in between."""
    if problems := urls.problems(request.url, limits):
        raise Forbidden("settings", f"Nothing was sent. {problems[0]}")
    if not all(map(PRINTABLE.fullmatch, request.headers.values())):
        raise Forbidden("settings", "Nothing was sent: a header, perhaps the secret, has characters HTTP cannot carry.")
    url = urls.parse(request.url)
    wire = Wire(checked_addresses(url, limits, watch), watch)
    status = 0
    try:
        with (
            _pool(url, wire, limits) as pool,
            pool.stream(request.method, _target(url), headers=_headers(request), content=request.body) as answer,
        ):
            status = answer.status
            body, is_cut = _read(answer, limits.max_body)
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return Reply(status, headers, body, is_cut, wire.peer)
    except failure.CAUSES as error:
        raise failure.of(error, url.place, sent=wire.sent, status=status) from error


def checked_addresses(url: Url, limits: Limits, watch: Watch) -> Sequence[str]:
    """Resolve once and return the addresses, if every one of them may be spoken to. Raises `NotSent`."""
    try:
        found = _resolve(url, limits, watch)
    except (OSError, UnicodeError, OutOfTime) as error:
        raise NotSent("dns", f"Nothing was sent: the name of {url.place} could not be resolved.") from error
    except NotOurs as error:
        raise NotSent("not_ours", "Nothing was sent: this attempt was taken back before it began.") from error
    wrong = [address for address in found if reach(address) not in urls.permitted(url, limits)]
    if wrong or not found:
        where = ", ".join(wrong) or "no address"
        raise NotSent("address", f"Nothing was sent: {url.place} leads to {where}, which is not allowed.")
    return found


def _resolve(url: Url, limits: Limits, watch: Watch) -> Sequence[str]:
    """Resolve in a thread: `getaddrinfo` knows no deadline, and a dead resolver holds it for half a minute."""
    answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(limits.resolve(url.host, url.port))
        except Exception as error:  # noqa: BLE001 - handed over and raised where it can be answered
            answers.put(error)

    Thread(target=ask, name="resolve", daemon=True).start()
    while True:
        try:
            found = answers.get(timeout=watch.pulse())
        except Empty:
            continue
        if isinstance(found, Exception):
            raise found
        return found


def _pool(url: Url, wire: Wire, limits: Limits) -> httpcore2.ConnectionPool:
    context = _tls(limits.ca_file) if url.scheme == "https" else None
    return httpcore2.ConnectionPool(ssl_context=context, network_backend=wire)


@lru_cache(maxsize=4)
def _tls(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def _target(url: Url) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.path)


def _headers(request: Request) -> list[tuple[str, str]]:
    ours = {"User-Agent": "Lastgood", "Accept-Encoding": "identity", "Connection": "close"}
    return list((ours | dict(request.headers)).items())


def _read(answer: httpcore2.Response, cap: int) -> tuple[bytes, bool]:
    body = bytearray()
    for chunk in answer.iter_stream():
        body += chunk
        if len(body) > cap:
            return bytes(body[:cap]), True
    return bytes(body), False
