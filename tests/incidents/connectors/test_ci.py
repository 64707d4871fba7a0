"""What holds for every CI system: one start, followed to the end the system names; whatever goes wrong on the way."""

import json
from dataclasses import replace

import pytest

from tests.incidents.connectors.cases import ALL, ARGOCD, JENKINS, Case
from tests.incidents.connectors.given import always, here
from tests.incidents.connectors.servers import Answer
from tests.incidents.connectors.stubs.base import TOKEN, cut, hang, instead, lost, said

every = pytest.mark.parametrize("case", ALL, ids=lambda case: case.kind)
every_with_values = pytest.mark.parametrize("case", [c for c in ALL if c is not ARGOCD], ids=lambda case: case.kind)
CANARIES = [TOKEN, TOKEN.replace("+", "%2B").replace("/", "%2F")]


def shows_the_token(outcome: object) -> bool:
    text = json.dumps([getattr(outcome, name) for name in ("sentence", "output", "remote_ref", "remote", "detail")])
    return any(canary in text for canary in CANARIES)


@every
@pytest.mark.parametrize("well", [True, False])
def test_a_run_is_started_once_and_followed_to_the_end_that_the_system_names(case: Case, well: bool, speaking):
    stub = speaking(case)

    begun = case.run(stub)
    going = case.poll(stub, begun.remote)
    case.end(stub, well=well)
    ended = case.poll(stub, going.remote)

    assert (begun.state, going.state) == ("running", "running"), (begun.sentence, going.sentence)
    assert ended.state == ("succeeded" if well else "failed"), ended.sentence
    assert case.started(stub) == 1
    assert begun.remote_ref
    assert json.loads(json.dumps(going.remote)) == going.remote
    assert not any(map(shows_the_token, (begun, going, ended)))


@every
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422])
def test_a_refused_start_has_failed_and_tells_what_the_system_said(case: Case, status: int, speaking):
    stub = speaking(case)
    stub.spoiled["POST"] = instead(said({"message": f"No, {TOKEN} may not"}, status))

    outcome = case.run(stub)

    assert outcome.state == "failed"
    assert f"(status {status}) (No, [masked] may not); nothing was started." in outcome.sentence
    assert not shows_the_token(outcome)


@every
@pytest.mark.parametrize("answer", [500, 502, 503, 429, 302, 307])
def test_any_other_answer_to_a_start_is_never_called_an_end(case: Case, answer: int, speaking):
    stub, other = speaking(case), speaking(case)
    headers = {"Location": other.url + "/", "Retry-After": "1"}
    stub.spoiled["POST"] = instead(Answer(answer, headers, b"busy"))

    outcome = case.run(stub)
    looked = case.poll(stub, outcome.remote)

    assert outcome.state == "running", outcome.sentence
    assert "Whether it runs is being looked up." in outcome.sentence
    assert (looked.state, other.heard) == ("running", [])
    assert len(stub.sent("POST") if case is not JENKINS else [1 for h in stub.heard if h.method == "POST"]) == 1


@every
def test_a_lost_answer_is_found_again_by_what_the_system_echoes(case: Case, speaking):
    stub, job = speaking(case), None
    job = case.job(stub)
    stub.spoiled["POST"] = cut

    begun = case.run(stub, job)
    if case is JENKINS:
        stub.begin()
    case.end(stub, well=True)
    ended = case.poll(stub, begun.remote, job)

    assert begun.state == "running", begun.sentence
    assert (ended.state, case.started(stub)) == ("succeeded", 1), ended.sentence


@every
def test_a_start_that_never_arrived_is_not_taken_for_a_run_of_somebody_else(case: Case, speaking):
    stub = speaking(case)
    case.run(stub)
    stub.spoiled["POST"] = lost
    case.end(stub, well=True)

    begun = case.run(stub)
    looked = case.poll(stub, begun.remote)

    assert (begun.state, looked.state) == ("running", "running"), looked.sentence


@every_with_values
def test_without_an_echo_a_lost_answer_is_unknown_at_once(case: Case, speaking):
    stub = speaking(case)
    stub.spoiled["POST"] = cut
    job = case.job(stub, config={"values": {"revision": "{target}"}})

    outcome = case.run(stub, job)

    assert outcome.state == "unknown"
    assert outcome.sentence.endswith("Whether it runs is not known.")


@every
def test_a_system_that_hangs_is_left_at_the_deadline(case: Case, speaking):
    stub = speaking(case)
    stub.spoiled["POST"] = hang

    outcome = case.run(stub, case.job(stub, deadline_seconds=0.6))

    assert (outcome.state, outcome.detail["reason"]) == ("running", "deadline")


@every
@pytest.mark.parametrize(
    "spoil",
    [
        instead(Answer(200, {}, b"<html>Sign in</html>")),
        instead(Answer(200, {}, b"[" * 100_000)),
        instead(Answer(200, {}, b'{"id": "' + b"x" * 200_000 + b'"}')),
        instead(Answer(200, {}, b"{}")),
    ],
    ids=["html", "deep", "huge", "empty"],
)
def test_an_answer_that_names_no_run_is_looked_up(case: Case, spoil, speaking):
    stub = speaking(case)
    stub.spoiled["POST"] = spoil

    outcome = case.run(stub, max_body=100_000)

    assert outcome.state == "running", outcome.sentence
    assert "did not say which run it is" in outcome.sentence


@every
@pytest.mark.parametrize(
    "spoil",
    [
        instead(said({"message": "Bad credentials"}, 401)),
        instead(said({"message": "Forbidden"}, 403)),
        instead(said({"message": "Not found"}, 404)),
        instead(Answer(429, {"Retry-After": "9"}, b"")),
        instead(Answer(503, {}, b"down")),
        instead(Answer(302, {"Location": "http://127.0.0.1:1/"}, b"")),
        instead(Answer(200, {}, b"no json")),
        instead(Answer(200, {}, b'{"x": "' + b"y" * 200_000 + b'"}')),
        cut,
    ],
    ids=["401", "403", "404", "429", "503", "redirect", "html", "huge", "cut"],
)
def test_a_look_that_failed_is_no_end(case: Case, spoil, speaking):
    stub = speaking(case)
    begun = case.run(stub)
    case.end(stub, well=True)
    stub.spoiled["GET"] = spoil

    looked = case.poll(stub, begun.remote, max_body=100_000)
    stub.spoiled.clear()
    ended = case.poll(stub, looked.remote)

    assert looked.state == "running"
    assert looked.detail["reason"]
    assert ended.state == "succeeded"


@every
def test_nothing_leaves_for_a_place_that_is_not_allowed(case: Case, speaking):
    stub = speaking(case)

    outcome = case.connector.run(case.job(stub), here("http://127.0.0.1:1/"), always)

    assert (outcome.state, stub.heard) == ("failed", [])
    assert "LASTGOOD_OUTBOUND_HOSTS" in outcome.sentence


@every
def test_a_system_that_is_down_was_sent_nothing(case: Case, speaking):
    stub = speaking(case)
    job, limits = case.job(stub), case.limits(stub)
    stub.close()

    assert case.connector.run(job, limits, always).state == "not_sent"


@every
def test_an_attempt_that_was_taken_back_is_not_sent(case: Case, speaking):
    stub = speaking(case)

    outcome = case.connector.run(case.job(stub), case.limits(stub), lambda: False)

    assert (outcome.state, outcome.detail["reason"], case.started(stub)) == ("not_sent", "not_ours", 0)


@every_with_values
def test_an_argument_may_not_say_something_else_than_the_connector(case: Case, speaking):
    stub = speaking(case)

    outcome = case.run(stub, case.job(stub, arguments={"revision": "other"}))

    assert (outcome.state, outcome.sentence, stub.heard) == (
        "failed",
        "Nothing was sent. The argument 'revision' is fixed by the connector.",
        [],
    )


@every
def test_a_configuration_is_judged_before_anything_is_sent(case: Case, speaking):
    stub = speaking(case)
    needed = case.connector.needs[0]

    def problems(**config):
        return case.connector.check({"url": stub.url} | case.config | config, case.limits(stub))

    assert problems() == []
    assert problems(colour="red")[0].startswith("There is no setting 'colour' here; it takes ")
    assert problems(**{needed: None}) == [f"{needed} must be set."]
    assert problems(**{needed: ["x"]})[0].startswith(f"{needed} must be ")
    assert problems(url="https://elsewhere.test/") == [
        "elsewhere.test:443 is not in LASTGOOD_OUTBOUND_HOSTS; the operator has to add it there."
    ]
    assert problems(url=stub.url + "/?key=1") == ["url must have no query (?…)."]
    if case is not ARGOCD:
        assert problems(values={"a": "{colour}"})[0].startswith("values uses {colour}, which is none of attempt, ")
        assert problems(values={"a": 1}) == ["values must be an object of texts."]


@every
def test_without_a_token_nothing_is_sent(case: Case, speaking):
    stub = speaking(case)

    outcome = case.run(stub, case.job(stub, secret=None))

    assert (outcome.state, stub.heard) == ("failed", [])
    assert "needs a token: name the variable that holds it as the secret." in outcome.sentence


@every
def test_a_self_test_asks_and_changes_nothing(case: Case, speaking):
    stub = speaking(case)

    found = case.self_test(stub)

    assert False not in found.values(), found
    assert {heard.method for heard in stub.heard} == {"GET"}
    assert case.started(stub) == 0


@every
def test_a_self_test_says_that_the_token_is_not_accepted(case: Case, speaking):
    stub = speaking(case)
    wrong = "robot:wrong-token" if case is JENKINS else "wrong-token"

    found = case.self_test(stub, secret=wrong)

    assert False in found.values(), found
    assert "wrong-token" not in json.dumps(found)


@every
def test_a_self_test_of_a_system_that_is_down_says_so(case: Case, speaking):
    stub = speaking(case)
    stub.close()

    (sentence,) = case.self_test(stub)

    assert "could not be asked: Nothing was sent to 127.0.0.1" in sentence


@every
def test_the_thread_finds_a_run_whose_worker_died(case: Case, speaking):
    stub = speaking(case)
    job = case.job(stub)
    case.run(stub, job)
    if case is JENKINS:
        stub.begin()
    case.end(stub, well=True)

    thread = case.connector.thread(job)

    if case is ARGOCD:
        assert thread == {}
    else:
        assert case.poll(stub, thread, job).state == "succeeded"
        assert case.connector.thread(replace(job, config=job.config | {"values": {}})) == {}
