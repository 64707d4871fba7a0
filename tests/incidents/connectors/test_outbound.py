"""Resolve once, judge every address, connect to what was judged, verify the name; counted at real sockets."""

import socket
import threading
import time

import pytest

from incidents.connectors import webhook
from incidents.connectors.base import Limits
from tests.incidents.connectors.given import KEY, a_job, always
from tests.incidents.connectors.servers import a_full_queue
from tests.incidents.connectors.test_addresses import FORBIDDEN, LOOPBACK, PRIVATE

NAME = "hooks.test"


def call(port, seconds=5.0, scheme="https", **limits):
    fields = {"allowed_hosts": [f"{NAME}:{port}"], "alive_every_seconds": 0.05} | limits
    job = a_job(config={"url": f"{scheme}://{NAME}:{port}/hook"}, secret=KEY, deadline_seconds=seconds)
    return webhook.run(job, Limits(**fields), always)


@pytest.mark.parametrize("address", FORBIDDEN + PRIVATE + LOOPBACK)
def test_a_public_name_that_leads_inside_is_refused_without_one_connection(counter, address):
    outcome = call(counter.port, resolve=lambda host, port: [address])

    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "address")
    assert counter.settled() == 0


@pytest.mark.parametrize("address", FORBIDDEN)
def test_metadata_and_its_disguises_are_refused_even_where_private_addresses_are_allowed(counter, address):
    outcome = call(counter.port, resolve=lambda host, port: [address], allow_private_hosts=[f"{NAME}:{counter.port}"])

    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "address")
    assert counter.settled() == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "1.1.1.1", "192.168.1.1", "2606:4700:4700::1111"])
def test_without_tls_even_a_listed_host_must_be_on_this_machine(counter, address):
    place = f"{NAME}:{counter.port}"

    outcome = call(
        counter.port,
        scheme="http",
        resolve=lambda host, port: [address],
        allow_private_hosts=[place],
        allow_plain_http_hosts=[place],
    )

    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "address")


def test_one_bad_address_among_good_ones_refuses_them_all(counter):
    outcome = call(
        counter.port,
        resolve=lambda host, port: ["127.0.0.1", "::1", "169.254.169.254"],
        allow_private_hosts=[f"{NAME}:{counter.port}"],
    )

    assert (outcome.state, outcome.sentence) == (
        "not_sent",
        f"Nothing was sent: hooks.test:{counter.port} leads to 169.254.169.254, which is not allowed.",
    )
    assert counter.settled() == 0


def test_the_counter_would_have_seen_a_connection(counter):
    outcome = call(
        counter.port, 0.3, resolve=lambda host, port: ["127.0.0.1"], allow_private_hosts=[f"{NAME}:{counter.port}"]
    )

    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "deadline")
    assert counter.settled() == 1


def test_a_name_that_changes_its_address_is_asked_once_and_pinned(receiving, counter):
    server = receiving()
    answers = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]]
    asked = []

    def rebinding(host, port):
        asked.append((host, port))
        return answers[len(asked) - 1]

    place = f"{NAME}:{server.port}"
    outcome = call(server.port, scheme="http", allowed_hosts=[place], allow_plain_http_hosts=[place], resolve=rebinding)

    assert (outcome.state, outcome.detail["address"]) == ("succeeded", "127.0.0.1")
    assert asked == [(NAME, server.port)]
    assert server.heard[0].headers["host"] == place


def test_the_next_address_is_tried_when_one_does_not_answer(receiving):
    server = receiving()
    place = f"{NAME}:{server.port}"

    outcome = call(
        server.port,
        scheme="http",
        allow_plain_http_hosts=[place],
        resolve=lambda host, port: ["127.0.0.2", "::1", "127.0.0.1"],
    )

    assert (outcome.state, outcome.detail["address"], len(server.heard)) == ("succeeded", "127.0.0.1", 1)


def test_an_address_that_swallows_the_connection_leaves_time_for_the_next(receiving):
    server = receiving()
    place = f"{NAME}:{server.port}"
    with a_full_queue("127.0.0.2", server.port):
        outcome = call(
            server.port,
            1.5,
            scheme="http",
            allow_plain_http_hosts=[place],
            resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"],
        )

    assert (outcome.state, outcome.detail["address"], len(server.heard)) == ("succeeded", "127.0.0.1", 1)


def test_an_unknown_name_is_not_sent():
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outcome = call(443, resolve=unknown)

    assert (outcome.state, outcome.sentence) == (
        "not_sent",
        "Nothing was sent: the name of hooks.test:443 could not be resolved.",
    )


def test_a_resolver_that_hangs_ends_at_the_deadline():
    over = threading.Event()
    began = time.monotonic()

    outcome = call(443, 0.3, resolve=lambda host, port: [str(over.wait(20))])

    over.set()
    assert (outcome.state, outcome.detail["reason"]) == ("not_sent", "dns")
    assert time.monotonic() - began < 2


class TestTls:
    """A throw-away authority signs for `hooks.test`; the connection goes to 127.0.0.1."""

    def call(self, server, authority, **limits):
        fields = {
            "allow_private_hosts": [f"{NAME}:{server.port}"],
            "resolve": lambda host, port: ["127.0.0.1"],
            "ca_file": str(authority.file),
        }
        return call(server.port, **(fields | limits))

    def test_the_name_that_was_asked_for_is_sent_and_verified(self, receiving, authority):
        server = receiving(tls=authority.server(NAME))

        outcome = self.call(server, authority)

        assert (outcome.state, outcome.detail["address"]) == ("succeeded", "127.0.0.1")
        assert (server.names, server.heard[0].headers["host"]) == ([NAME], f"{NAME}:{server.port}")

    @pytest.mark.parametrize("names", [("other.test",), ("127.0.0.1",), ("*.hooks.test",)])
    def test_a_certificate_for_another_name_is_refused_before_a_byte_is_sent(self, receiving, authority, names):
        server = receiving(tls=authority.server(*names))

        outcome = self.call(server, authority)

        assert (outcome.state, outcome.detail["reason"], server.heard) == ("not_sent", "tls", [])
        assert "certificate was not accepted" in outcome.sentence

    def test_an_authority_that_nobody_added_is_refused(self, receiving, authority):
        server = receiving(tls=authority.server(NAME))

        outcome = self.call(server, authority, ca_file=None)

        assert (outcome.state, outcome.detail["reason"], server.heard) == ("not_sent", "tls", [])

    def test_a_server_without_tls_is_refused(self, receiving, authority):
        server = receiving()

        outcome = self.call(server, authority)

        assert (outcome.state, outcome.detail["reason"], server.heard) == ("not_sent", "tls", [])

    def test_a_large_answer_comes_through_whole(self, receiving, authority):
        server = receiving(tls=authority.server(NAME))
        server.answer.body = b"x" * 300_000

        outcome = self.call(server, authority)

        assert (outcome.state, outcome.output_bytes, outcome.output_dropped) == (
            "succeeded",
            300_000,
            300_000 - 262_144,
        )
