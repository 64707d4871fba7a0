"""A log fetched over HTTP from a real server, page by page, to its end or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from incidents.connectors.base import Limits
from incidents.connectors.evidence_log import Fetched, NotFetched, fetch
from incidents.connectors.watch import Watch
from tests.incidents.connectors.given import SECRET, always, here
from tests.incidents.connectors.servers import Answer, Receiver, read_request

ENTRIES = [{"evidenceId": f"evi-{n}"} for n in range(5)]


def ask(url: str, *, token: str = "", most_bytes: int = 1024**2, seconds: float = 10, **limits: Any) -> Fetched:
    return fetch(url, here(url, **limits), Watch(seconds, always, 0.05), most_bytes=most_bytes, token=token)


def refusal(url: str, **given: Any) -> str:
    with pytest.raises(NotFetched) as refused:
        ask(url, **given)
    return str(refused.value)


def serving(receiving: Callable[..., Receiver], pages: dict[str, Any]) -> Receiver:
    """A server that answers with the page of the cursor that it is asked for."""
    server = receiving()

    class ByCursor:
        status, headers = 200, {"Content-Type": "application/json"}

        @property
        def body(self) -> bytes:
            query = parse_qs(urlsplit(server.heard[-1].path).query)
            return json.dumps(pages[query.get("cursor", [""])[0]]).encode()

    server.answer = ByCursor()  # type: ignore[assignment]
    return server


def test_every_page_is_read_and_kept_as_it_came(receiving: Callable[..., Receiver]) -> None:
    pages = {
        "": {"items": ENTRIES[:2], "nextCursor": "evi-1"},
        "evi-1": {"items": ENTRIES[2:4], "nextCursor": "a b&c=d"},
        "a b&c=d": {"items": ENTRIES[4:]},
    }
    server = serving(receiving, pages)
    url = f"http://127.0.0.1:{server.port}/v1/workspaces/ws-1/evidence?runId=run-1"

    found = ask(url, token=SECRET)

    assert found.body == b"\n".join(json.dumps(page).encode() for page in pages.values())
    assert (found.pages, found.source) == (3, f"http://127.0.0.1:{server.port}/v1/workspaces/ws-1/evidence")
    assert [parse_qs(urlsplit(heard.path).query) for heard in server.heard] == [
        {"limit": ["200"], "runId": ["run-1"]},
        {"limit": ["200"], "runId": ["run-1"], "cursor": ["evi-1"]},
        {"limit": ["200"], "runId": ["run-1"], "cursor": ["a b&c=d"]},
    ]
    assert {heard.headers["authorization"] for heard in server.heard} == {f"Bearer {SECRET}"}


def test_a_page_size_of_the_address_is_left_alone(receiving: Callable[..., Receiver]) -> None:
    server = serving(receiving, {"": {"items": ENTRIES}})

    ask(f"http://127.0.0.1:{server.port}/evidence?limit=50")

    assert server.heard[0].path == "/evidence?limit=50"
    assert "authorization" not in server.heard[0].headers


def test_a_query_with_a_name_twice_and_a_cursor_of_its_own_stays_as_it_is(receiving: Callable[..., Receiver]) -> None:
    server = serving(receiving, {"x": {"items": ENTRIES[:1], "nextCursor": "y"}, "y": {"items": []}})

    ask(f"http://127.0.0.1:{server.port}/evidence?category=Plan&category=Policy&cursor=x")

    assert [heard.path.partition("?")[2] for heard in server.heard] == [
        "category=Plan&category=Policy&cursor=x&limit=200",
        "category=Plan&category=Policy&limit=200&cursor=y",
    ]


def test_an_array_is_one_page(receiving: Callable[..., Receiver]) -> None:
    server = receiving(Answer(body=json.dumps(ENTRIES).encode()))

    assert ask(server.url).pages == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(status=401), "Status 401 came back where 200 was expected."),
        (Answer(status=302, headers={"Location": "/x"}), "Status 302 came back where 200 was expected."),
        (Answer(body=b"<html>"), "Page 1 is no JSON."),
        (Answer(body=b"[" * 100_000), "Page 1 is no JSON."),
        (Answer(body=b'{"items": [], "nextCursor": "' + b"x" * 501 + b'"}'), "by more than 500 characters."),
        (Answer(body=b'{"items": [], "nextCursor": "again"}'), "Page 2 leads back to one that was read before"),
    ],
)
def test_what_is_no_log_is_a_sentence(receiving: Callable[..., Receiver], answer: Answer, sentence: str) -> None:
    assert sentence in refusal(receiving(answer).url)


def test_a_page_and_a_log_that_are_too_large_are_refused(receiving: Callable[..., Receiver]) -> None:
    server = receiving(Answer(body=json.dumps({"items": ["x" * 3 * 1024**2]}).encode()))

    assert refusal(server.url, max_body=2 * 1024**2) == "A page is larger than 2 MB."
    assert refusal(server.url, max_body=8 * 1024**2) == "The log is larger than 1 MB. Fetch a part of it."


def test_an_address_that_is_not_allowed_is_not_asked(receiving: Callable[..., Receiver]) -> None:
    server = receiving()

    with pytest.raises(NotFetched, match="is not in LASTGOOD_OUTBOUND_HOSTS"):
        fetch(server.url, Limits(), Watch(5, always, 1), most_bytes=1000)
    assert server.heard == []


def test_one_deadline_holds_for_all_pages(misbehaving: Callable[..., Any]) -> None:
    def slow(connection: Any, over: Any) -> None:
        read_request(connection)
        over.wait(5)

    assert "deadline" in refusal(misbehaving(slow).url, seconds=0.4)


def test_an_address_that_is_none_is_a_sentence() -> None:
    for url in ("http://[::1", "nonsense", "https://user@host.example/", "https://host.example/ x", ""):
        with pytest.raises(NotFetched, match=r"^Nothing was sent\. "):
            fetch(url, Limits(), Watch(5, always, 1), most_bytes=1000)
