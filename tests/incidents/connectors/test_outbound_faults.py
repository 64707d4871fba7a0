"""Servers with bad manners: each ends at the deadline, in the class that is true."""

import socket
import time

import pytest

from incidents.connectors import webhook
from tests.incidents.connectors.given import KEY, a_job, always, here
from tests.incidents.connectors.servers import a_full_queue, read_request, reset

OK = b"HTTP/1.1 200 OK\r\n"


def call(url, seconds=0.4, alive=always, **limits):
    job = a_job(config={"url": url}, secret=KEY, deadline_seconds=seconds)
    return webhook.run(job, here(url, **limits), alive)


def slowly(connection, over, text):
    for byte in text:
        if over.wait(0.02):
            return
        connection.sendall(bytes([byte]))


def hangs_before_it_reads(connection, over):
    over.wait(20)


def hangs_before_the_answer(connection, over):
    read_request(connection)
    over.wait(20)


def hangs_within_the_headers(connection, over):
    read_request(connection)
    connection.sendall(OK + b"Content-Type: text/pl")
    over.wait(20)


def hangs_within_the_body(connection, over):
    read_request(connection)
    connection.sendall(OK + b"Content-Length: 100\r\n\r\nten bytes!")
    over.wait(20)


def drips_headers(connection, over):
    read_request(connection)
    slowly(connection, over, OK + b"X-Slow: " + b"a" * 5000)


def drips_the_body(connection, over):
    read_request(connection)
    connection.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    slowly(connection, over, b"b" * 5000)


def says_continue_for_ever(connection, over):
    read_request(connection)
    while not over.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize(
    "script",
    [
        hangs_before_it_reads,
        hangs_before_the_answer,
        hangs_within_the_headers,
        hangs_within_the_body,
        drips_headers,
        drips_the_body,
        says_continue_for_ever,
    ],
)
def test_whoever_keeps_us_waiting_is_left_at_the_deadline_with_an_unknown_end(misbehaving, script):
    began = time.monotonic()

    outcome = call(misbehaving(script).url)

    assert (outcome.state, outcome.detail["reason"]) == ("unknown", "deadline")
    assert 0.35 < time.monotonic() - began < 2.4


def test_a_stalled_body_names_the_status_that_was_seen(misbehaving):
    server = misbehaving(hangs_within_the_body)

    outcome = call(server.url)

    assert outcome.detail["status"] == 200
    assert outcome.sentence == (
        f"The request left for 127.0.0.1:{server.port}, but after status 200 no complete answer came:"
        " the deadline passed."
    )


def resets_at_the_first_byte(connection, over):
    connection.recv(1)
    reset(connection)


def resets_after_the_request(connection, over):
    read_request(connection)
    reset(connection)


def closes_after_the_request(connection, over):
    read_request(connection)


def cuts_the_body(connection, over):
    read_request(connection)
    connection.sendall(OK + b"Content-Length: 100\r\n\r\nten bytes!")


def cuts_a_chunked_body(connection, over):
    read_request(connection)
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")


def speaks_something_else(connection, over):
    read_request(connection)
    connection.sendall(b"220 mail.example.org ESMTP\r\n")


def sends_endless_headers(connection, over):
    read_request(connection)
    connection.sendall(OK)
    while not over.is_set():
        connection.sendall(b"X-More: " + b"a" * 8000 + b"\r\n")


@pytest.mark.parametrize(
    ("script", "reasons"),
    [
        (resets_at_the_first_byte, {"reset", "protocol"}),  # protocol when the reset is met while writing
        (resets_after_the_request, {"reset"}),
        (closes_after_the_request, {"protocol"}),
        (cuts_the_body, {"protocol"}),
        (cuts_a_chunked_body, {"protocol"}),
        (speaks_something_else, {"protocol"}),
        (sends_endless_headers, {"protocol"}),
    ],
)
def test_whoever_breaks_off_leaves_an_unknown_end(misbehaving, script, reasons):
    outcome = call(misbehaving(script).url, 5)

    assert outcome.state == "unknown"
    assert outcome.detail["reason"] in reasons


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 2147483648\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_an_endless_body_is_read_up_to_the_cap_and_judged_by_its_status(misbehaving, framing):
    def never_stops(connection, over):
        read_request(connection)
        connection.sendall(OK + framing + b"\r\n")
        piece = b"10000\r\n" + b"z" * 65_536 + b"\r\n" if b"chunked" in framing else b"z" * 65_536
        while not over.is_set():
            connection.sendall(piece)

    outcome = call(misbehaving(never_stops).url, 10, max_body=200_000)

    assert (outcome.state, outcome.detail["body_cut_at"], outcome.output_bytes) == ("succeeded", 200_000, 200_000)


def test_a_rejection_counts_although_the_request_was_not_read_to_its_end(misbehaving):
    def rejects_unread(connection, over):
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n")
        over.wait(20)

    outcome = call(misbehaving(rejects_unread).url, 5)

    assert (outcome.state, outcome.detail["status"]) == ("failed", 422)


def test_a_refused_connection_is_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    outcome = call(f"http://127.0.0.1:{port}/")

    assert (outcome.state, outcome.sentence) == (
        "not_sent",
        f"Nothing was sent to 127.0.0.1:{port}: the connection was refused.",
    )


def test_a_connection_that_nobody_accepts_is_not_sent_at_the_deadline():
    with a_full_queue("127.0.0.1") as port:
        outcome = call(f"http://127.0.0.1:{port}/")

    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "deadline")


def test_an_attempt_that_is_taken_back_while_it_waits_ends_at_once_and_unknown(misbehaving):
    arrived = []

    def hangs(connection, over):
        arrived.append(read_request(connection))
        over.wait(20)

    began = time.monotonic()

    outcome = call(misbehaving(hangs).url, 15, alive=lambda: not arrived)

    assert (outcome.state, outcome.detail["reason"]) == ("unknown", "not_ours")
    assert time.monotonic() - began < 5


def test_a_heartbeat_that_breaks_is_not_swallowed(misbehaving):
    def breaks():
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        call(misbehaving(hangs_before_the_answer).url, 5, alive=breaks)
