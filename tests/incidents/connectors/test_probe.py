"""What a gate learns from a probe: pass, fail, or error when it could not be asked."""

import socket

import pytest

from incidents.connectors import probe
from incidents.connectors.base import Limits
from tests.incidents.connectors.given import SECRET, a_command, a_job, always, here
from tests.incidents.connectors.servers import Answer, read_request


def ask(server, secret=None, **config):
    return probe.run(a_job(config={"url": server.url} | config, secret=secret), here(server.url), always)


def test_the_expected_answer_passes_and_is_kept(receiving):
    server = receiving(Answer(body=b'{"status": "ok"}'))

    result = ask(server, expect_text='"ok"')

    assert (result.outcome, result.sentence) == ("pass", "Status 200 came back with the expected text.")
    assert (result.output, result.detail["status"], result.detail["address"]) == ('{"status": "ok"}', 200, "127.0.0.1")
    assert [(heard.method, heard.body) for heard in server.heard] == [("GET", b"")]


@pytest.mark.parametrize(
    ("answer", "config", "sentence"),
    [
        (Answer(status=503), {}, "Status 503 came back where 200 was expected."),
        (Answer(status=302, headers={"Location": "/other"}), {}, "Status 302 came back where 200 was expected."),
        (Answer(), {"expect_status": 204}, "Status 200 came back where 204 was expected."),
        (Answer(body=b"degraded"), {"expect_text": "healthy"}, "The expected text is not in the answer."),
    ],
)
def test_another_answer_fails(receiving, answer, config, sentence):
    server = receiving(answer)

    result = ask(server, **config)

    assert (result.outcome, result.sentence, len(server.heard)) == ("fail", sentence, 1)


def test_an_unusual_status_may_be_the_expected_one(receiving):
    assert ask(receiving(Answer(status=401)), expect_status=401).outcome == "pass"


def test_a_secret_goes_out_as_bearer_and_stays_out_of_the_record(receiving):
    server = receiving(Answer(body=SECRET.encode()))

    result = ask(server, secret=SECRET)

    assert server.heard[0].headers["authorization"] == f"Bearer {SECRET}"
    assert (result.outcome, result.output) == ("pass", "[masked]")


def test_a_secret_that_http_cannot_carry_sends_nothing(receiving):
    server = receiving()

    for secret in ("pässword", "two\r\nX-Evil: 1"):
        assert ask(server, secret=secret).outcome == "error"
    assert server.heard == []


def test_what_cannot_be_asked_is_an_error(misbehaving):
    def hangs(connection, over):
        read_request(connection)
        over.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    silent = misbehaving(hangs).url

    refused = probe.run(a_job(config={"url": nobody}), here(nobody), always)
    late = probe.run(a_job(config={"url": silent}, deadline_seconds=0.3), here(silent), always)

    assert (refused.outcome, refused.detail["reason"]) == ("error", "refused")
    assert (late.outcome, late.detail["reason"]) == ("error", "deadline")


@pytest.mark.parametrize(
    ("script", "outcome"),
    [("exit 0", "pass"), ("exit 1", "fail"), ("exit 2", "fail"), ("kill -9 $$", "error"), ("sleep 60", "error")],
)
def test_a_command_gate_goes_by_the_exit_code(script, outcome):
    limits = a_command("/bin/sh", "-c", f"echo seen; {script}", timeout_seconds=0.5)

    result = probe.run(a_job(config={"command": "it"}), limits, always)

    assert (result.outcome, result.output) == (outcome, "seen\n")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "A URL is needed."),
        ({"url": "https://up.example.org/", "expect_status": "200"}, "expect_status must be a number from 200 to 599."),
        ({"url": "https://up.example.org/", "expect_status": 99}, "expect_status must be a number from 200 to 599."),
        ({"url": "https://up.example.org/", "expect_text": 5}, "expect_text must be text."),
        (
            {"url": "https://up.example.org/", "method": "PUT"},
            "There is no setting 'method' here; it takes expect_status, expect_text, url.",
        ),
        ({"command": "other"}, "'other' is not in LASTGOOD_COMMANDS; the operator has to add it there."),
    ],
)
def test_a_configuration_that_cannot_work_says_so_and_asks_nothing(config, problem):
    limits = Limits(allowed_hosts=["up.example.org"])

    result = probe.run(a_job(config=config), limits, always)

    assert probe.check(config, limits) == [problem]
    assert result.outcome == "error"
    assert result.sentence.endswith(problem)
