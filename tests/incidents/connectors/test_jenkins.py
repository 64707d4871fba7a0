"""Jenkins: from the queue to the build, its console by parts, and parameters that it would drop."""

from tests.incidents.connectors.cases import JENKINS
from tests.incidents.connectors.given import here
from tests.incidents.connectors.stubs.base import TOKEN, cut, instead, said


def posts(stub):
    return [heard for heard in stub.heard if heard.method == "POST"]


def test_a_build_is_queued_with_its_parameters_as_a_form(speaking):
    stub = speaking(JENKINS)
    job = JENKINS.job(stub)

    begun = JENKINS.run(stub, job)

    (heard,) = posts(stub)
    assert heard.path == "/job/ops/job/roll%20back/buildWithParameters"
    assert heard.headers["content-type"] == "application/x-www-form-urlencoded"
    assert heard.body.decode() == f"attempt={job.attempt_id}&revision=4f1c2d9"
    assert (begun.remote, begun.remote_ref) == ({"queue": "300"}, "queue item 300")


def test_a_job_without_parameters_is_built_plainly(speaking):
    stub = speaking(JENKINS)

    JENKINS.run(stub, JENKINS.job(stub, config={"values": {}}))

    assert posts(stub)[0].path == "/job/ops/job/roll%20back/build"


def test_the_queue_says_what_it_waits_for_and_then_which_build_it_became(speaking):
    stub = speaking(JENKINS)
    begun = JENKINS.run(stub)
    waiting = JENKINS.poll(stub, begun.remote)
    stub.begin()
    running = JENKINS.poll(stub, waiting.remote)

    assert waiting.sentence == "It waits in Jenkins's queue. In the quiet period. Expires in 4.9 sec"
    assert (running.sentence, running.remote["id"]) == ("Build 17 is running.", "17")
    assert running.remote_ref == "https://jenkins.test/job/ops/job/roll%20back/17/"


def test_a_queue_item_that_is_gone_is_found_among_the_builds(speaking):
    stub = speaking(JENKINS)
    job = JENKINS.job(stub, config={"values": {"revision": "{target}"}})
    begun = JENKINS.run(stub, job)
    stub.begin()
    stub.items.clear()

    assert JENKINS.poll(stub, begun.remote, job).sentence == "Build 17 is running."


def test_an_item_taken_out_of_the_queue_was_not_built(speaking):
    stub = speaking(JENKINS)
    begun = JENKINS.run(stub)
    stub.items[0]["cancelled"] = True

    ended = JENKINS.poll(stub, begun.remote)

    assert (ended.state, ended.sentence) == ("failed", "It was taken out of Jenkins's queue; it was not built.")


def test_the_end_of_a_long_console_is_fetched_not_its_beginning(speaking):
    stub = speaking(JENKINS)
    looked = JENKINS.run(stub)
    stub.begin()
    stub.console = b"0123456789" * 50 + f" {TOKEN} the end".encode()
    limits = here(stub.url, output_cap=100)

    first = JENKINS.connector.poll(JENKINS.job(stub), limits, looked.remote)
    second = JENKINS.connector.poll(JENKINS.job(stub), limits, first.remote)

    assert first.output.endswith("[masked] the end")
    assert second.output.endswith("[masked] the end")
    assert (second.output_dropped, "left out" in first.output) == (len(stub.console) - 100, True)


def test_a_parameter_that_jenkins_would_drop_starts_nothing(speaking):
    stub = speaking(JENKINS)
    stub.declared = ["attempt"]

    outcome = JENKINS.run(stub)

    assert (outcome.state, posts(stub)) == ("failed", [])
    assert outcome.sentence == (
        "Nothing was started. The job declares no parameter revision: Jenkins would drop it and say nothing."
    )
    assert JENKINS.self_test(stub)[outcome.sentence.removeprefix("Nothing was started. ")] is False


def test_a_job_that_is_off_starts_nothing(speaking):
    stub = speaking(JENKINS)
    stub.is_buildable = False

    assert JENKINS.run(stub).sentence == "Nothing was started. The job is switched off in Jenkins."
    assert JENKINS.self_test(stub)["The job is switched off in Jenkins."] is False


def test_a_lost_answer_leads_to_the_build_with_the_attempts_parameter(speaking):
    stub = speaking(JENKINS)
    JENKINS.run(stub)
    stub.begin()
    stub.spoiled["POST"] = cut
    job = JENKINS.job(stub)

    begun = JENKINS.run(stub, job)
    queued = JENKINS.poll(stub, begun.remote, job)
    stub.begin()
    running = JENKINS.poll(stub, queued.remote, job)

    assert queued.sentence == "Jenkins shows no run of this attempt yet."
    assert running.sentence == "Build 18 is running."


def test_the_secret_is_a_user_and_a_token(speaking):
    stub = speaking(JENKINS)

    outcome = JENKINS.run(stub, JENKINS.job(stub, secret=TOKEN))

    assert outcome.sentence == "Nothing was sent. The secret must be a user name, a colon and an API token."


def test_the_self_test_of_a_job_that_is_not_seen(speaking):
    stub = speaking(JENKINS)
    stub.spoiled["roll%20back/api/json"] = instead(said({}, 404))

    assert JENKINS.self_test(stub) == {
        "Jenkins accepts the token.": True,
        "There is no such job, or the user lacks the right Job/Read.": False,
    }
