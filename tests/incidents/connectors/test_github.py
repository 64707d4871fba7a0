"""GitHub Actions: what is sent, how a run is found where the answer names none, and what a self-test tells apart."""

import pytest

from tests.incidents.connectors.cases import GITHUB
from tests.incidents.connectors.stubs.base import TOKEN, instead, said


def test_the_dispatch_carries_what_people_approved_and_the_attempt(speaking):
    stub = speaking(GITHUB)
    job = GITHUB.job(stub, arguments={"environment": "prod"})

    begun = GITHUB.run(stub, job)

    (heard,) = stub.heard
    (body,) = stub.sent("POST")
    assert (heard.method, heard.path) == ("POST", "/repos/acme/app/actions/workflows/rollback.yml/dispatches")
    assert heard.headers["authorization"] == f"Bearer {TOKEN}"
    assert heard.headers["x-github-api-version"] == "2022-11-28"
    assert body == {
        "ref": "main",
        "inputs": {"environment": "prod", "attempt": str(job.attempt_id), "revision": "4f1c2d9"},
        "return_run_details": True,
    }
    assert begun.remote == {"id": "9000", "link": "https://github.test/acme/app/actions/runs/9000"}
    assert begun.remote_ref == "https://github.test/acme/app/actions/runs/9000"


@pytest.mark.parametrize("config", [{}, {"run_details": False}])
def test_a_server_that_names_no_run_is_asked_for_the_one_with_our_name(config, speaking):
    stub = speaking(GITHUB)
    stub.knows_run_details = False
    GITHUB.run(stub)
    job = GITHUB.job(stub, config=config)

    begun = GITHUB.run(stub, job)
    going = GITHUB.poll(stub, begun.remote, job)

    assert begun.remote == {"find": str(job.attempt_id)}
    assert going.remote["id"] == "9001"


def test_without_run_details_a_value_must_echo_the_attempt(speaking):
    stub = speaking(GITHUB)
    config = {"url": stub.url, **GITHUB.config, "run_details": False, "values": {}}

    assert GITHUB.connector.check(config, GITHUB.limits(stub)) == [
        "Without run_details, one of the values must hold {attempt}, so that the run can be found."
    ]


def test_jobs_and_steps_stand_as_output_because_logs_come_by_a_redirect(speaking):
    stub = speaking(GITHUB)
    begun = GITHUB.run(stub)

    assert GITHUB.poll(stub, begun.remote).output == "roll-back: in_progress\n  Deploy: success"


def test_a_run_that_waits_for_an_approval_says_so(speaking):
    stub = speaking(GITHUB)
    begun = GITHUB.run(stub)
    stub.runs[0]["status"] = "waiting"

    assert GITHUB.poll(stub, begun.remote).sentence == "Run 9000 is waiting. It waits for an approval in GitHub."


@pytest.mark.parametrize("conclusion", ["failure", "cancelled", "skipped", "neutral", "stale", "action_required"])
def test_only_success_is_success(conclusion, speaking):
    stub = speaking(GITHUB)
    begun = GITHUB.run(stub)
    stub.runs[0] |= {"status": "completed", "conclusion": conclusion}

    assert GITHUB.poll(stub, begun.remote).state == "failed"


@pytest.mark.parametrize(
    ("place", "status", "sentence"),
    [
        ("GET /repos/acme/app", 401, "GitHub does not accept the token: it is wrong, expired or revoked. (no)"),
        (
            "GET /repos/acme/app",
            404,
            "The token does not see this repository: it needs access to it, with Metadata: read. (no)",
        ),
        (
            "workflows/rollback.yml",
            403,
            "The token may not read workflows: it lacks Actions: read and write. (no)",
        ),
        ("commits/main", 404, "There is no branch or tag main, or the token lacks Contents: read. (no)"),
    ],
)
def test_the_self_test_names_the_right_that_is_missing(place, status, sentence, speaking):
    stub = speaking(GITHUB)
    stub.spoiled[place] = instead(said({"message": "no"}, status))

    assert GITHUB.self_test(stub)[sentence] is False


def test_the_self_test_sees_a_workflow_that_is_off_and_a_reader(speaking):
    stub = speaking(GITHUB)
    stub.state, stub.permissions = "disabled_manually", {"push": False}

    found = GITHUB.self_test(stub)

    assert found["The workflow is switched off (disabled_manually)."] is False
    assert found["Its owner may not write to the repository, which starting a workflow asks for."] is False
