"""A webhook that waits for the end: by a status that is asked for, or by a callback. The receiver is a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from incidents.connectors import webhook
from tests.incidents.connectors.given import KEY, a_job, always, here
from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import Stub, cut, hang, instead, said

WORDS = {"succeeded": ["done", "0"], "failed": ["broken"]}


class Runner(Stub):
    """Takes a hook, and says how the run goes."""

    routes = (("POST", "/hook", "take"), ("GET", r"/runs/(.*)", "run"))

    def __init__(self) -> None:
        self.state: Any = {"state": "busy", "log": "half"}
        super().__init__()

    def knows(self, heard: Heard) -> bool:
        return True

    def take(self, heard: Heard) -> Answer:
        return said({"id": 7, "links": {"status": f"{self.url}/runs/7?part=x"}}, 202)

    def run(self, heard: Heard, number: str) -> Answer:
        return said(self.state)


@pytest.fixture
def runner() -> Any:
    stub = Runner()
    yield stub
    stub.close()


def asked(stub: Stub, **status: Any) -> dict[str, Any]:
    return {"url": f"{stub.url}/hook", "wait_for": "status", "status": WORDS | status}


def run(stub: Stub, config: Any, **changes: Any) -> Any:
    job = a_job(config=config, secret=KEY, **changes)
    return job, webhook.run(job, here(stub.url), always)


def test_a_status_is_asked_for_where_a_template_says(runner):
    job, begun = run(runner, asked(runner, url=f"{runner.url}/runs/{{ref}}?attempt={{attempt}}"))

    going = webhook.poll(job, here(runner.url), begun.remote)
    runner.state = {"state": "done"}
    ended = webhook.poll(job, here(runner.url), going.remote)

    assert (begun.state, begun.remote_ref) == ("running", "7")
    assert begun.remote == {"wait": "status", "url": f"{runner.url}/runs/7?attempt={job.attempt_id}"}
    assert (going.state, going.sentence) == ("running", "Its state is “busy”.")
    assert (ended.state, ended.sentence) == ("succeeded", "It ended with the state “done”.")


def test_a_status_is_asked_for_where_a_field_of_the_answer_says(runner):
    job, begun = run(runner, asked(runner, url_field="links.status", output_field="log"))
    runner.state = {"state": "broken", "log": f"with {KEY.removeprefix('whsec_')}"}

    ended = webhook.poll(job, here(runner.url), begun.remote)

    assert runner.heard[-1].path == "/runs/7?part=x"
    assert (ended.state, ended.output) == ("failed", "with [masked]")


def test_the_question_is_signed_as_the_hook_was(runner):
    job, begun = run(runner, asked(runner, url_field="links.status"))

    webhook.poll(job, here(runner.url), begun.remote)

    headers = runner.heard[-1].headers
    Webhook(KEY).verify(b"", headers, json_parse=False)
    assert headers["webhook-id"] == str(job.attempt_id)


def test_a_state_may_lie_deep_and_be_a_number(runner):
    job, begun = run(runner, asked(runner, url_field="links.status", field="sets.0.results", running=["-1"]))

    def look(results: Any) -> tuple[str, str]:
        runner.state = {"sets": [{"results": results}]}
        found = webhook.poll(job, here(runner.url), begun.remote)
        return found.state, found.sentence

    assert look(-1) == ("running", "Its state is “-1”.")
    assert look(None) == ("running", "Its state is “null”, which none of the words explain.")
    assert look(0) == ("succeeded", "It ended with the state “0”.")


@pytest.mark.parametrize(
    "spoil",
    [
        instead(said({}, 404)),
        instead(said({}, 503)),
        instead(Answer(302, {"Location": "/runs/8"}, b"")),
        instead(Answer(200, {}, b"<html>")),
        instead(Answer(200, {}, b"[]")),
        cut,
    ],
    ids=["404", "503", "redirect", "html", "list", "cut"],
)
def test_a_look_that_failed_is_no_end(spoil, runner):
    job, begun = run(runner, asked(runner, url_field="links.status"))
    runner.state = {"state": "done"}
    runner.spoiled["GET"] = spoil

    assert webhook.poll(job, here(runner.url), begun.remote).state == "running"
    runner.spoiled.clear()
    assert webhook.poll(job, here(runner.url), begun.remote).state == "succeeded"


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("https://metadata.example/latest", "metadata.example:443 is not in LASTGOOD_OUTBOUND_HOSTS"),
        ("file:///etc/passwd", "The URL must start with https://"),
        (None, "A URL is needed"),
        (7, "A URL is needed"),
    ],
)
def test_an_address_that_is_not_allowed_is_never_asked(link, sentence, runner):
    runner.spoiled["POST"] = instead(said({"id": 7, "links": {"status": link}}))

    _, outcome = run(runner, asked(runner, url_field="links.status"))

    assert outcome.state == "unknown"
    assert f"How it ends is not known: it cannot be asked for its state: {sentence}" in outcome.sentence


def test_an_answer_without_a_number_leaves_nothing_to_ask_about(runner):
    runner.spoiled["POST"] = instead(said({}))

    _, outcome = run(runner, asked(runner, url=f"{runner.url}/runs/{{ref}}"))

    assert outcome.state == "unknown"
    assert outcome.sentence.endswith("How it ends is not known: its answer names nothing to ask about.")


def test_what_an_answer_names_stays_one_part_of_the_address(runner):
    runner.spoiled["POST"] = instead(said({"id": "../../admin?x=1"}))

    _, outcome = run(runner, asked(runner, url=f"{runner.url}/runs/{{ref}}"))

    assert outcome.remote["url"] == f"{runner.url}/runs/..%2F..%2Fadmin%3Fx%3D1"


def test_a_lost_answer_is_asked_for_by_the_attempt(runner):
    runner.spoiled["POST"] = cut
    job, begun = run(runner, asked(runner, url=f"{runner.url}/runs/{{attempt}}"))
    runner.state = {"state": "done"}

    assert (begun.state, webhook.thread(job)) == ("running", begun.remote)
    assert begun.sentence.endswith("What came of it is waited for.")
    assert webhook.poll(job, here(runner.url), begun.remote).state == "succeeded"


def test_a_lost_answer_that_would_name_the_address_is_unknown(runner):
    runner.spoiled["POST"] = cut
    job, outcome = run(runner, asked(runner, url_field="links.status"))

    assert (outcome.state, webhook.thread(job)) == ("unknown", {})


def test_with_a_callback_nothing_is_asked(runner):
    config = {"url": f"{runner.url}/hook", "wait_for": "callback"}
    job, begun = run(runner, config, callback_url="https://lastgood.example/api/v1/attempts/x/callback")

    waiting = webhook.poll(job, here(runner.url), begun.remote)

    assert [heard.method for heard in runner.heard] == ["POST"]
    assert json.loads(runner.heard[0].body)["data"]["callback_url"].endswith("/callback")
    assert (waiting.state, waiting.sentence) == ("running", "It was accepted; its callback is waited for.")


def test_with_a_callback_a_lost_answer_is_waited_for(runner):
    runner.spoiled["POST"] = hang
    config = {"url": f"{runner.url}/hook", "wait_for": "callback"}

    _, begun = run(runner, config, deadline_seconds=0.5)

    assert (begun.state, begun.remote) == ("running", {"wait": "callback"})


def test_a_refusal_is_an_end_also_where_one_waits(runner):
    runner.spoiled["POST"] = instead(said({}, 403))

    assert run(runner, {"url": f"{runner.url}/hook", "wait_for": "callback"})[1].state == "failed"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"wait_for": "luck", "status": None}, "wait_for must be callback or status."),
        ({"wait_for": None}, "status is only used with wait_for."),
        ({"wait_for": "callback"}, "status is not used with a callback."),
        ({"status": None}, "status must be an object: where to ask, and which words mean what."),
        ({"status": WORDS}, "status: give either url or url_field."),
        ({"status": WORDS | {"url": "https://x.test/", "url_field": "a"}}, "status: give either url or url_field."),
        ({"status": WORDS | {"url_field": 7}}, "status: url_field must be a text."),
        ({"status": WORDS | {"url_field": "a", "colour": "red"}}, "status: There is no setting 'colour' here; "),
        (
            {"status": {"url_field": "a", "failed": ["x"]}},
            "status: succeeded must be a list of the words that mean it.",
        ),
        ({"status": WORDS | {"url_field": "a", "failed": "x"}}, "status: failed must be a list of the words"),
        ({"status": WORDS | {"url": "https://x.test/{ref}"}}, "status: x.test:443 is not in LASTGOOD_OUTBOUND_HOSTS"),
    ],
)
def test_a_configuration_is_judged_before_anything_is_sent(changes, problem, runner):
    config = {key: value for key, value in (asked(runner, url_field="a") | changes).items() if value is not None}

    found = webhook.check(config, here(runner.url))

    assert any(sentence.startswith(problem) for sentence in found), found


def test_a_place_that_is_no_fact_is_refused(runner):
    found = webhook.check(asked(runner, url=f"{runner.url}/{{colour}}"), here(runner.url))

    assert found == ["status: url uses {colour}, which is no fact of a job."]
