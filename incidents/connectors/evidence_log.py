"""Fetch an evidence log that an outside system serves page by page: `?limit=…&cursor=…` until no `nextCursor` comes.

The pages are kept byte for byte, one after the other: what is stored as evidence is what the system said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from incidents.connectors import failure, outbound, urls
from incidents.connectors.base import Limits
from incidents.connectors.outbound import Request
from incidents.connectors.watch import Watch

PAGE_SIZE = 200
MOST_PAGES = 2_000
LONGEST_CURSOR = 500
LONGEST_SOURCE = 200
_OK = 200


class NotFetched(Exception):
    """The log could not be fetched to its end; the message is a sentence, and nothing of it is to be used."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answers of a log as they came, and where they came from: no query, which may carry a secret."""

    body: bytes
    pages: int
    source: str


def fetch(url: str, limits: Limits, watch: Watch, *, most_bytes: int, token: str = "") -> Fetched:
    """Ask for every page.

    Args:
        limits: `max_body` bounds one page.
        watch: the one deadline of all pages together.
        most_bytes: how much is read in all.
        token: goes out as bearer token.

    Raises:
        NotFetched: with the reason.
    """
    if problems := urls.problems(url, limits):
        raise NotFetched(f"Nothing was sent. {problems[0]}")
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    pages: list[bytes] = []
    cursors: set[str] = set()
    cursor = ""
    while len(pages) < MOST_PAGES:
        page = _ask(_address(url, cursor), headers, limits, watch)
        pages.append(page)
        if sum(map(len, pages)) > most_bytes:
            raise NotFetched(f"The log is larger than {most_bytes // 1024**2} MB. Fetch a part of it.")
        cursor = _next(page, len(pages))
        if not cursor:
            return Fetched(b"\n".join(pages), len(pages), _source(url))
        if cursor in cursors:
            raise NotFetched(f"Page {len(pages):,} leads back to one that was read before: the log has no end.")
        cursors.add(cursor)
    raise NotFetched(f"The log has more than {MOST_PAGES:,} pages. Fetch a part of it.")


def _ask(url: str, headers: dict[str, str], limits: Limits, watch: Watch) -> bytes:
    try:
        reply = outbound.exchange(Request("GET", url, headers), limits, watch)
    except (failure.NotSent, failure.NoAnswer) as error:
        raise NotFetched(str(error)) from error
    if reply.status != _OK:
        raise NotFetched(f"Status {reply.status} came back where 200 was expected.")
    if reply.is_cut:
        raise NotFetched(f"A page is larger than {limits.max_body // 1024**2} MB.")
    return reply.body


def _address(url: str, cursor: str) -> str:
    """The address with its own query, a page size unless it names one, and the cursor."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if all(name != "limit" for name, _ in query):
        query.append(("limit", str(PAGE_SIZE)))
    if cursor:
        query = [*((name, value) for name, value in query if name != "cursor"), ("cursor", cursor)]
    return parts._replace(query=urlencode(query)).geturl()


def _next(page: bytes, number: int) -> str:
    try:
        found: Any = json.loads(page)
    except (ValueError, RecursionError) as error:
        raise NotFetched(f"Page {number:,} is no JSON.") from error
    cursor = found.get("nextCursor") if isinstance(found, dict) else None
    if not isinstance(cursor, str):
        return ""
    if len(cursor) > LONGEST_CURSOR:
        raise NotFetched(f"Page {number:,} names a next page by more than {LONGEST_CURSOR} characters.")
    return cursor


def _source(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"[:LONGEST_SOURCE]
