"""Nothing but what the operator lists is connected to, whoever asks: counted at real sockets, for every way out."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from incidents.connectors import waiting, webhook
from incidents.connectors.base import Limits, Outcome
from tests.hostile.ssrf_corpus import DISGUISED, LISTED, METADATA, NAMES, REDIRECTS, SPELLINGS, TARGETS
from tests.hostile.ssrf_doors import DOORS, WORDS, Door, Zone, watched
from tests.incidents.connectors.given import KEY, a_job, always, here
from tests.incidents.connectors.servers import Answer, Counter, Misbehaving, Receiver, read_request

ROOT = Path(__file__).resolve().parents[2]
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
every_timed_door = pytest.mark.parametrize("door", [door for door in DOORS if door.timed], ids=lambda door: door.name)


@pytest.fixture
def counter() -> Iterator[Counter]:
    """One port on every address of this machine, IPv4 and IPv6."""
    with closing(Counter()) as counting:
        yield counting


@pytest.fixture
def serving() -> Iterator[Callable[..., Receiver]]:
    opened: list[Receiver] = []

    def serve(answer: Answer) -> Receiver:
        opened.append(Receiver(answer))
        return opened[-1]

    yield serve
    for server in opened:
        server.close()


def listed(counter: Counter, **more: Any) -> Limits:
    """Only one name is allowed, on 443 and on the port where somebody counts."""
    return Limits(allowed_hosts=[LISTED, f"{LISTED}:{counter.port}"], alive_every_seconds=0.05, **more)


def test_there_are_as_many_cases_as_were_asked_for() -> None:
    assert len(set(SPELLINGS)) == len(SPELLINGS) > 90
    assert len(NAMES) > 40
    assert len(REDIRECTS) * len(TARGETS) > 100


def test_every_room_that_opens_sockets_to_a_place_somebody_names_stands_behind_a_door() -> None:
    """A new caller of the one exchange needs a door here."""
    callers = {
        path.stem
        for app in ("incidents", "comms", "portal")
        for path in (ROOT / app).rglob("*.py")
        if "outbound.exchange(" in path.read_text(encoding="utf-8")
    }

    assert callers == {"webhook", "waiting", "probe", "evidence_log", "session"}


@every_door
def test_no_spelling_of_an_address_opens_a_socket_or_asks_for_a_name(door: Door, counter: Counter) -> None:
    limits = listed(counter)

    with watched() as left:
        for text in SPELLINGS:
            door.go(text.format(port=counter.port) if "{" in text else text, limits)

    # "" lets GitHub and its like go to their own well-known place, which is not listed either.
    assert (left.places, left.names, counter.settled()) == ([], [], 0)


@every_door
def test_no_answer_of_a_name_server_leads_inside(door: Door, counter: Counter) -> None:
    url = f"https://{LISTED}:{counter.port}/"

    with watched() as left:
        for case, records in NAMES.items():
            door.go(url, listed(counter, resolve=Zone(records).resolve))
            assert left.places == [], case

    assert counter.settled() == 0


@every_door
def test_metadata_is_out_of_reach_even_for_a_host_that_may_be_inside(door: Door, counter: Counter) -> None:
    place = f"{LISTED}:{counter.port}"

    with watched() as left:
        for address in (*METADATA, *DISGUISED):
            for answer in ([address], ["127.0.0.1", address], [address, "127.0.0.1"]):
                zone = Zone({LISTED: [answer]})
                door.go(f"https://{place}/", listed(counter, allow_private_hosts=[place], resolve=zone.resolve))

    assert (left.places, counter.settled()) == ([], 0)


@every_door
def test_without_tls_a_listed_host_is_this_machine_or_nothing(door: Door, counter: Counter) -> None:
    place = f"{LISTED}:{counter.port}"
    relaxed = {"allow_private_hosts": [place], "allow_plain_http_hosts": [place]}

    with watched() as left:
        for address in ("203.0.114.7", "10.0.0.1", "192.168.0.1", "fd12:3456::1", *METADATA):
            door.go(f"http://{place}/", listed(counter, **relaxed, resolve=Zone({LISTED: [[address]]}).resolve))

    assert (left.places, counter.settled()) == ([], 0)


@every_door
def test_a_name_that_turns_bad_after_the_first_answer_is_held_to_what_was_judged(
    door: Door, serving: Callable[..., Receiver]
) -> None:
    """Each exchange asks once: the good answer is used as it was judged, and the next exchange judges anew."""
    server = serving(Answer(status=503))
    place = f"{LISTED}:{server.port}"
    zone = Zone({LISTED: [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]]})

    with watched() as left:
        door.go(f"http://{place}/", here(f"http://{place}/", resolve=zone.resolve))

    assert left.places == [("127.0.0.1", server.port)] * len(server.heard)
    assert len(server.heard) == 1 <= len(zone.asked)
    assert server.heard[0].headers["host"] == place


@pytest.mark.thorough(keep=3)
@every_door
def test_no_redirect_of_an_allowed_host_is_followed(
    door: Door, counter: Counter, serving: Callable[..., Receiver]
) -> None:
    server = serving(Answer())
    inside = f"http://127.0.0.2:{counter.port}/"
    statuses = REDIRECTS if "dry run" not in door.name else REDIRECTS[2:3]

    with watched() as left:
        for number, status in enumerate(statuses):
            # Each status meets each target at some door, and each door meets each target.
            for target in TARGETS[number % 3 :: 3] if door.timed else TARGETS[number % 4 :: 4]:
                where = target.format(inside=inside, own=server.url, port=counter.port)
                named = {"Location": where, "Refresh": f"0; url={inside}", "Content-Location": inside}
                server.answer = Answer(status, {**named, "Link": f'<{inside}>; rel="next"'}, b"")
                door.go(server.url.partition("/hook")[0], here(server.url))

    assert (left.beyond(("127.0.0.1", server.port)), counter.settled()) == ([], 0)
    assert server.heard
    assert not [heard.path for heard in server.heard if "elsewhere" in heard.path]


@every_door
def test_no_proxy_of_the_environment_is_used(
    door: Door, counter: Counter, serving: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, f"http://127.0.0.1:{counter.port}")
    monkeypatch.setenv("NO_PROXY", "")
    server = serving(Answer(status=404))

    with watched() as left:
        door.go(server.url.partition("/hook")[0], here(server.url))

    assert (left.beyond(("127.0.0.1", server.port)), counter.settled()) == ([], 0)
    assert server.heard


@every_door
def test_an_endless_answer_is_read_to_the_cap_and_no_further(door: Door) -> None:
    sent: list[int] = []

    def pours(connection: socket.socket, over: threading.Event) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while not over.is_set():
            sent.append(connection.send(b"1," * 8192))

    with closing(Misbehaving(pours)) as server:
        began = time.monotonic()
        door.go(server.url.partition("/hook")[0], here(server.url, max_body=100_000))

    assert time.monotonic() - began < 5
    assert sum(sent) < 64 * 1024 * 1024


@pytest.mark.thorough(keep=2)
@every_timed_door
def test_an_answer_that_drips_ends_at_the_deadline(door: Door) -> None:
    def drips(connection: socket.socket, over: threading.Event) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.1):
            connection.sendall(b"[")

    with closing(Misbehaving(drips)) as server:
        began = time.monotonic()
        door.go(server.url.partition("/hook")[0], here(server.url))

    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_answer_that_says_where_to_ask_next_is_held_to_the_same_list(
    text: str, counter: Counter, serving: Callable[..., Receiver]
) -> None:
    """The system behind a hook may name the address of its state: the one place where an answer leads anywhere."""
    link = text.format(port=counter.port) if "{" in text else text
    server = serving(Answer(202, body=f'{{"link": {json.dumps(link)}}}'.encode()))
    config = {"url": server.url, "wait_for": "status", "status": {"url_field": "link", **WORDS}}
    job = a_job(config=config, secret=KEY, deadline_seconds=2.0)

    with watched() as left:
        outcome: Outcome = webhook.run(job, here(server.url), always)
        if outcome.remote:
            waiting.poll(job, here(server.url), outcome.remote)

    assert (outcome.state, left.beyond(("127.0.0.1", server.port)), counter.settled()) == ("unknown", [], 0)


def test_a_cursor_cannot_lead_away_from_the_log(serving: Callable[..., Receiver], counter: Counter) -> None:
    door = next(door for door in DOORS if door.name == "evidence log")
    server = serving(Answer())

    with watched() as left:
        for cursor in (
            f"@127.0.0.2:{counter.port}/",
            f"http://127.0.0.2:{counter.port}/",
            "//x",
            "\r\nHost: x",
            "#",
            "&",
        ):
            server.answer = Answer(body=f'{{"items": [], "nextCursor": {json.dumps(cursor)}}}'.encode())
            door.go(server.url, here(server.url))

    assert (left.beyond(("127.0.0.1", server.port)), counter.settled()) == ([], 0)
    assert {heard.headers["host"] for heard in server.heard} == {f"127.0.0.1:{server.port}"}
    assert {heard.path.partition("?")[0] for heard in server.heard} == {"/hook"}


def test_the_watch_would_have_seen_each_of_them(counter: Counter) -> None:
    """Broken on purpose: a socket of ours to where somebody counts, and one to where nobody listens."""
    with watched() as left:
        socket.create_connection(("127.0.0.2", counter.port)).close()
        with socket.socket() as other:
            other.setblocking(False)
            other.connect_ex(("192.0.2.1", 80))

    assert left.places == [("127.0.0.2", counter.port), ("192.0.2.1", 80)]
    assert counter.settled() == 1
