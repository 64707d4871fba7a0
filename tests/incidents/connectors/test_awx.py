"""AWX: what a template drops, the run that was started all the same, and what a self-test tells apart."""

import pytest

from tests.incidents.connectors.cases import AWX_
from tests.incidents.connectors.given import always
from tests.incidents.connectors.stubs.base import instead, said


def launches(stub):
    return [body for body in stub.sent("POST") if body]


def test_a_launch_carries_the_variables_and_the_limit(speaking):
    stub = speaking(AWX_)
    job = AWX_.job(stub, config={"limit": "{product}-prod"})

    begun = AWX_.run(stub, job)

    assert launches(stub) == [
        {"extra_vars": {"attempt": str(job.attempt_id), "revision": "4f1c2d9"}, "limit": "portarium-prod"}
    ]
    assert (begun.remote, begun.remote_ref) == ({"id": "500"}, "job 500")


def test_a_template_that_would_ignore_the_variables_starts_nothing(speaking):
    stub = speaking(AWX_)
    stub.prompts["ask_variables_on_launch"] = False

    outcome = AWX_.run(stub)

    assert (outcome.state, launches(stub)) == ("failed", [])
    assert outcome.sentence == (
        "Nothing was started. The template does not prompt for variables: AWX would ignore them. "
        "Tick “Prompt on launch” there."
    )
    assert AWX_.self_test(stub)[outcome.sentence.removeprefix("Nothing was started. ")] is False


def test_a_template_that_asks_for_more_starts_nothing(speaking):
    stub = speaking(AWX_)
    stub.needed = ["region"]

    assert AWX_.run(stub).sentence == "Nothing was started. The template asks for region, which is not given."


@pytest.mark.parametrize("ending", ["canceled", "successful"])
def test_ignored_fields_are_an_error_and_the_run_is_named_and_cancelled(ending, speaking):
    stub = speaking(AWX_)
    stub.ignores = ["revision"]

    begun = AWX_.run(stub)
    cancelled = stub.jobs[0]["status"]
    stub.jobs[0]["status"] = ending
    ended = AWX_.poll(stub, begun.remote)

    assert begun.sentence == "AWX ignored extra_vars (revision) and started job 500 without it. It was cancelled."
    assert cancelled == "canceled"
    assert (ended.state, ended.sentence) == (
        "failed",
        f"AWX ran job 500 without extra_vars (revision); it ended as {ending}.",
    )
    assert len(stub.jobs) == 1


def test_a_run_without_our_fields_that_cannot_be_cancelled_says_so(speaking):
    stub = speaking(AWX_)
    stub.ignores = ["revision"]
    stub.spoiled["/cancel/"] = instead(said({"detail": "no"}, 403))

    assert AWX_.run(stub).sentence.endswith("It could not be cancelled (status 403): do it in AWX.")


def test_what_the_job_printed_is_kept(speaking):
    stub = speaking(AWX_)
    begun = AWX_.run(stub)

    assert AWX_.poll(stub, begun.remote).output == "PLAY [roll back] ***\nok: [prod]\n"


def test_the_self_test_names_the_role_that_is_missing(speaking):
    stub = speaking(AWX_)
    stub.may_start = False

    assert AWX_.self_test(stub)["Its owner lacks the Execute role on the template."] is False


def test_a_workflow_is_launched_and_followed_by_its_own_addresses(speaking):
    stub = speaking(AWX_)
    launch = {"workflow_job": 41, "ignored_fields": {}}
    stub.spoiled["GET /api/controller/v2/workflow_job_templates/12/launch/"] = instead(said(stub.prompts))
    stub.spoiled["POST /api/controller/v2/workflow_job_templates/12/launch/"] = instead(said(launch, 201))
    stub.spoiled["GET /api/controller/v2/workflow_jobs/41/"] = instead(said({"status": "failed"}))
    job = AWX_.job(stub, config={"workflow": True, "api": "api/controller/v2"})

    begun = AWX_.run(stub, job)
    ended = AWX_.poll(stub, begun.remote, job)

    assert (begun.remote, ended.sentence) == ({"id": "41"}, "Job 41 ended as failed.")


def test_a_dry_run_is_a_job_of_type_check(speaking):
    stub = speaking(AWX_)
    stub.spoiled["POST"] = done_at_once

    outcome = AWX_.connector.rehearse(AWX_.job(stub), AWX_.limits(stub), always)

    assert [job["job_type"] for job in stub.jobs] == ["check"]
    assert (outcome.state, outcome.sentence) == ("succeeded", "Job 500 ended as successful.")
    assert outcome.output == "PLAY [roll back] ***\nok: [prod]\n"


def done_at_once(stub, heard):
    answer = stub.routed(heard)
    stub.jobs[-1]["status"] = "successful"
    return answer


def test_a_template_that_would_really_run_is_not_rehearsed(speaking):
    stub = speaking(AWX_)
    stub.prompts["ask_job_type_on_launch"] = False

    outcome = AWX_.connector.rehearse(AWX_.job(stub), AWX_.limits(stub), always)

    assert (outcome.state, stub.jobs) == ("failed", [])
    assert "does not prompt for the job type" in outcome.sentence


def test_a_workflow_has_no_dry_run(speaking):
    stub = speaking(AWX_)
    job = AWX_.job(stub, config={"workflow": True})

    assert AWX_.connector.rehearses(job.config, AWX_.limits(stub)) is False
    assert AWX_.connector.rehearse(job, AWX_.limits(stub), always).sentence == (
        "Nothing was started. AWX knows no dry run of a workflow."
    )
