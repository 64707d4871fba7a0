"""Rundeck: options, the tail of the log, retries of its own, and what a self-test tells apart."""

from tests.incidents.connectors.cases import RUNDECK


def test_a_job_is_run_with_its_options(speaking):
    stub = speaking(RUNDECK)
    job = RUNDECK.job(stub)

    begun = RUNDECK.run(stub, job)

    assert stub.sent("POST") == [{"options": {"attempt": str(job.attempt_id), "revision": "4f1c2d9"}}]
    assert begun.remote == {"id": "60", "link": "https://rundeck.test/project/ops/execution/show/60"}


def test_the_tail_of_the_log_is_kept_without_the_token(speaking):
    stub = speaking(RUNDECK)
    begun = RUNDECK.run(stub)

    looked = RUNDECK.poll(stub, begun.remote)

    assert looked.output == "logged in with [masked]\nrolled back"
    assert stub.heard[-1].path == "/api/41/execution/60/output?lastlines=500"


def test_a_retry_of_rundecks_own_is_followed(speaking):
    stub = speaking(RUNDECK)
    begun = RUNDECK.run(stub)
    stub.executions[0] |= {"status": "failed-with-retry", "retriedExecution": {"id": 61}}
    stub.executions.append({"id": 61, "status": "running"})

    again = RUNDECK.poll(stub, begun.remote)
    stub.executions[1]["status"] = "succeeded"
    ended = RUNDECK.poll(stub, again.remote)

    assert again.sentence == "Execution 60 ended as failed-with-retry. Rundeck tries again as execution 61."
    assert (again.state, ended.state, ended.sentence) == ("running", "succeeded", "Execution 61 succeeded.")


def test_a_status_of_the_jobs_own_is_shown_and_is_no_success(speaking):
    stub = speaking(RUNDECK)
    begun = RUNDECK.run(stub)
    stub.executions[0] |= {"status": "other", "customStatus": "half-way"}

    ended = RUNDECK.poll(stub, begun.remote)

    assert (ended.state, ended.sentence) == ("failed", "Execution 60 ended as half-way.")


def test_the_self_test_names_what_is_missing(speaking):
    stub = speaking(RUNDECK)
    stub.options, stub.is_enabled, stub.is_active = [{"name": "region", "required": True}], False, False

    found = RUNDECK.self_test(stub)

    assert [sentence for sentence, is_good in found.items() if is_good is False] == [
        "Executions of the job are switched off.",
        "The job has no option attempt, revision.",
        "Rundeck is in passive mode: it runs nothing.",
    ]
    assert found["The job asks for region: give it with the values, or with the action's arguments."] is None
