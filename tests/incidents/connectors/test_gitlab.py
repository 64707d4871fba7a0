"""GitLab: both kinds of token, what a failed job printed, and what a self-test tells apart."""

from tests.incidents.connectors.cases import GITLAB
from tests.incidents.connectors.stubs.base import TOKEN, instead, said
from tests.incidents.connectors.stubs.gitlab import TRIGGER


def test_a_pipeline_is_created_with_variables_by_an_access_token(speaking):
    stub = speaking(GITLAB)
    job = GITLAB.job(stub)

    begun = GITLAB.run(stub, job)

    assert stub.heard[0].path == "/api/v4/projects/acme%2Fapp/pipeline"
    assert stub.sent("POST") == [
        {
            "ref": "main",
            "variables": [
                {"key": "attempt", "value": str(job.attempt_id), "variable_type": "env_var"},
                {"key": "revision", "value": "4f1c2d9", "variable_type": "env_var"},
            ],
        }
    ]
    assert begun.remote == {"id": "40", "link": "https://gitlab.test/acme/app/-/pipelines/40"}


def test_a_trigger_token_starts_and_an_access_token_follows(speaking):
    stub = speaking(GITLAB)
    job = GITLAB.job(stub, config={"token": "trigger"}, secret=f"{TRIGGER} {TOKEN}")

    begun = GITLAB.run(stub, job)
    GITLAB.end(stub, well=True)
    ended = GITLAB.poll(stub, begun.remote, job)

    (body,) = stub.sent("POST")
    assert (body["token"], body["variables"]["revision"]) == (TRIGGER, "4f1c2d9")
    assert ended.state == "succeeded"


def test_a_trigger_token_alone_cannot_follow(speaking):
    stub = speaking(GITLAB)
    job = GITLAB.job(stub, config={"token": "trigger"}, secret=TRIGGER)

    outcome = GITLAB.run(stub, job)

    assert (outcome.state, stub.heard) == ("failed", [])
    assert "and an access token (read_api) to follow the pipeline" in outcome.sentence


def test_what_the_failed_job_printed_is_kept_without_the_token(speaking):
    stub = speaking(GITLAB)
    begun = GITLAB.run(stub)
    GITLAB.end(stub, well=False)

    ended = GITLAB.poll(stub, begun.remote)

    assert ended.output == "deploy / roll-back: failed\n\nroll-back:\ncannot pull with [masked]\n"


def test_a_pipeline_that_waits_for_a_person_says_so(speaking):
    stub = speaking(GITLAB)
    begun = GITLAB.run(stub)
    stub.pipelines[0]["status"] = "manual"

    going = GITLAB.poll(stub, begun.remote)

    assert (going.state, going.sentence) == (
        "running",
        "Pipeline 40 is manual. It waits for a job that is started by hand in GitLab.",
    )


def test_the_self_test_names_what_is_missing(speaking):
    stub = speaking(GITLAB)
    stub.scopes, stub.level, stub.is_protected = ["read_api"], 20, True

    found = GITLAB.self_test(stub)

    assert [sentence for sentence, is_good in found.items() if is_good is False] == [
        "The token lacks the scope api.",
        "The token's owner needs at least the Developer role to create a pipeline.",
        "main is protected: whoever may neither push nor merge there creates no pipeline.",
    ]


def test_the_self_test_of_a_project_that_is_not_seen(speaking):
    stub = speaking(GITLAB)
    stub.spoiled["GET /api/v4/projects/acme%2Fapp"] = instead(said({"message": "404 Project Not Found"}, 404))

    assert GITLAB.self_test(stub) == {
        "GitLab accepts the token.": True,
        "The token does not see this project: its owner is no member of it, or its name is wrong. "
        "(404 Project Not Found)": False,
    }
