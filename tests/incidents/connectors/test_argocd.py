"""Argo CD: the guard, which entry of the history is meant, and when a rollback is at its end."""

import pytest

from incidents.connectors import argocd
from tests.incidents.connectors.cases import ARGOCD
from tests.incidents.connectors.given import always
from tests.incidents.connectors.stubs.argocd import NEW, OLD
from tests.incidents.connectors.stubs.base import instead, said


def test_the_newest_entry_with_the_targets_revision_is_rolled_back_to(speaking):
    stub = speaking(ARGOCD)

    begun = ARGOCD.run(stub)

    assert stub.asked == [{"name": "shop", "id": 5, "dryRun": False, "prune": False}]
    assert begun.sentence == "Argo CD rolls shop back to history entry 5."


@pytest.mark.parametrize(
    ("changes", "entry"),
    [
        ({"target": OLD}, 5),
        ({"target": NEW[:9]}, 6),
        ({"arguments": {"history_id": "4"}}, 4),
        ({"config": {"history_id": "4"}}, 4),
        ({"target": "v1.2", "config": {"revision": OLD}}, 5),
    ],
)
def test_a_target_or_an_id_names_the_entry(changes, entry, speaking):
    stub = speaking(ARGOCD)

    ARGOCD.run(stub, ARGOCD.job(stub, **changes))

    assert stub.asked[0]["id"] == entry


@pytest.mark.parametrize("target", ["4f1c2d", "0" * 40, ""])
def test_a_target_that_is_not_in_the_history_starts_nothing(target, speaking):
    stub = speaking(ARGOCD)

    outcome = ARGOCD.run(stub, ARGOCD.job(stub, target=target))

    assert (outcome.state, stub.asked) == ("failed", [])
    assert f"The history of shop has no {target}." in outcome.sentence
    assert "6 (99e0b1cbbbbb)" in outcome.sentence


@pytest.mark.parametrize("automated", [{}, {"prune": True, "selfHeal": True}, {"enabled": True}])
def test_auto_sync_is_a_clear_no_before_anything_is_sent(automated, speaking):
    stub = speaking(ARGOCD)
    stub.automated = automated

    outcome = ARGOCD.run(stub)

    assert (outcome.state, outcome.detail, stub.asked) == ("failed", {"reason": "guard"}, [])
    assert outcome.sentence.startswith("Nothing was started. Auto-sync is on for this application")
    assert ARGOCD.self_test(stub)[argocd.AUTO_SYNC] is False


def test_auto_sync_that_was_switched_off_is_no_obstacle():
    application = {"spec": {"syncPolicy": {"automated": {"enabled": False}}}}

    assert argocd._objection(application) == ""


def test_an_operation_of_somebody_else_is_waited_for(speaking):
    stub = speaking(ARGOCD)
    stub.operation = {"sync": {}}

    outcome = ARGOCD.run(stub)

    assert (outcome.state, outcome.sentence) == ("failed", "Nothing was started. Another operation runs on it.")


def test_it_is_at_its_end_when_it_is_healthy(speaking):
    stub = speaking(ARGOCD)
    begun = ARGOCD.run(stub)
    before = ARGOCD.poll(stub, begun.remote)
    stub.finish()
    stub.health = "Progressing"
    between = ARGOCD.poll(stub, begun.remote)
    stub.health = "Healthy"
    after = ARGOCD.poll(stub, begun.remote)

    assert [before.sentence, between.sentence, after.sentence] == [
        "The rollback of shop has not begun yet.",
        "shop is rolled back; its health is Progressing.",
        "shop is rolled back and healthy.",
    ]
    assert after.output == "successfully synced\nDeployment/shop: Synced configured"


def test_the_bad_health_of_before_counts_only_when_it_stays(speaking):
    stub = speaking(ARGOCD)
    looked = ARGOCD.run(stub)
    stub.finish()

    states = []
    for _ in range(argocd.BAD_LOOKS):
        looked = ARGOCD.poll(stub, looked.remote)
        states.append(looked.state)

    assert states == ["running"] * (argocd.BAD_LOOKS - 1) + ["failed"]


def test_a_later_sync_of_somebody_else_is_not_taken_for_ours(speaking):
    stub = speaking(ARGOCD)
    begun = ARGOCD.run(stub)
    stub.finish(revision=NEW)

    ended = ARGOCD.poll(stub, begun.remote)

    assert ended.state == "unknown"
    assert ended.sentence == f"Another sync of shop ran since, to {NEW}; look at it in Argo CD."


def test_project_and_namespace_go_along(speaking):
    stub = speaking(ARGOCD)
    config = {"project": "default", "namespace": "argocd-apps", "prune": True}

    ARGOCD.run(stub, ARGOCD.job(stub, config=config))

    assert stub.heard[0].path == "/api/v1/applications/shop?project=default&appNamespace=argocd-apps"
    assert stub.asked == [
        {"name": "shop", "id": 5, "dryRun": False, "prune": True, "project": "default", "appNamespace": "argocd-apps"}
    ]


def test_the_self_test_names_the_right_that_is_missing(speaking):
    stub = speaking(ARGOCD)
    stub.may = "no"

    assert ARGOCD.self_test(stub)["The token lacks the right applications, sync."] is False


def test_the_self_test_of_an_application_that_is_not_seen(speaking):
    stub = speaking(ARGOCD)
    stub.spoiled["GET /api/v1/applications/shop"] = instead(said({"error": "permission denied"}, 403))

    found = ARGOCD.self_test(stub)

    assert found[
        "There is no such application, or the token lacks the right applications, get. (permission denied)"
    ] is (False)


def test_a_dry_run_says_what_would_be_done(speaking):
    stub = speaking(ARGOCD)
    stub.spoiled["POST"] = finishing

    outcome = ARGOCD.connector.rehearse(ARGOCD.job(stub), ARGOCD.limits(stub), always)

    assert [asked["dryRun"] for asked in stub.asked] == [True]
    assert outcome.state == "succeeded", outcome.sentence
    assert outcome.sentence == "Argo CD can roll shop back to history entry 5; nothing was changed."
    assert outcome.output == "successfully synced (dry run)\nDeployment/shop: Synced configured"


def finishing(stub, heard):
    """Argo CD begins a dry run and has it done at once."""
    answer = stub.routed(heard)
    stub.finish(message="successfully synced (dry run)")
    return answer


def test_a_dry_run_meets_the_same_guard(speaking):
    stub = speaking(ARGOCD)
    stub.automated = {}

    outcome = ARGOCD.connector.rehearse(ARGOCD.job(stub), ARGOCD.limits(stub), always)

    assert (outcome.state, stub.asked) == ("failed", [])


def test_a_dry_run_that_does_not_end_is_not_waited_for_for_ever(speaking):
    stub = speaking(ARGOCD)

    outcome = ARGOCD.connector.rehearse(ARGOCD.job(stub, deadline_seconds=1.5), ARGOCD.limits(stub), always)

    assert (outcome.state, len(stub.asked)) == ("unknown", 1)
    assert outcome.sentence == (
        "The dry run was not waited for any longer. Last seen: The rollback of shop has not begun yet."
    )
