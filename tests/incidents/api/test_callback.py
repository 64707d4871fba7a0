"""An outside system calls back: signed, about its own attempt and start alone, and once whatever is sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
import time_machine
from django.db.models.functions import Now
from django.test import Client
from standardwebhooks.webhooks import Webhook

from incidents import clock
from incidents.models import Attempt, CallbackReceipt, Connector
from incidents.steps import attempts
from incidents.terms import ActionState, AttemptState, Kind
from tests.factories import Crew, make_crew
from tests.incidents.api.reporting import ACTION, FOLLOWED, OTHER_KEY, begun, ends, report, send
from tests.incidents.connectors.given import KEY

__all__ = ["begun"]

pytestmark = pytest.mark.django_db


def test_an_end_that_is_told_ends_the_attempt(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)
    told = report(attempt, sentence="Deployed 4f1c2d9", output=f"used {KEY.removeprefix('whsec_')}", ref="build 9")

    answer = send(attempt, told)

    attempt.refresh_from_db()
    assert (answer.status_code, answer.json()) == (200, {"result": "applied"})
    assert (attempt.state, attempt.sentence) == (AttemptState.SUCCEEDED, "Deployed 4f1c2d9")
    assert (attempt.output, attempt.remote_ref) == ("used [masked]", "build 9")
    assert incident.actions.get(key=ACTION).state == ActionState.SUCCEEDED
    assert ends(incident) == [*FOLLOWED, Kind.ACTION_SUCCEEDED]
    assert "Set-Cookie" not in answer.headers


def test_how_it_goes_is_shown_and_leaves_no_entry(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)

    send(attempt, report(attempt, "running", sentence="Step 1 of 2", output="one"))
    send(attempt, report(attempt, "running", output="one\ntwo"), message="msg_2")

    attempt.refresh_from_db()
    assert (attempt.state, attempt.sentence, attempt.output) == (
        AttemptState.STARTED,
        "It says that it runs.",
        "one\ntwo",
    )
    assert ends(incident) == FOLLOWED


def test_a_failure_that_is_told_is_one(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)

    send(attempt, report(attempt, "failed"))

    attempt.refresh_from_db()
    assert (attempt.state, attempt.sentence) == (AttemptState.FAILED, "It says that it failed.")
    assert ends(incident) == [*FOLLOWED, Kind.ACTION_FAILED]


NOW = timedelta()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key": OTHER_KEY}, "another key"),
        ({"at": -timedelta(seconds=305)}, "too old"),
        ({"at": timedelta(seconds=305)}, "from the future"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1,"}, "an empty one"),
        ({"webhook-signature": "v1,\u00e9"}, "no base64"),
        ({"webhook-signature": "v2,AAAA v1"}, "another version"),
        ({"webhook-id": "msg_2"}, "another id"),
        ({"webhook-id": ""}, "no id"),
        ({"webhook-id": "a.b"}, "an id with a dot"),
        ({"webhook-timestamp": "soon"}, "no number"),
        ({"webhook-timestamp": "9" * 40}, "a huge number"),
        ({"webhook-timestamp": "\u0661"}, "a number of another script"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_signed_is_not_heard(
    begun: Callable[..., Any], crew: Crew, change: dict[str, Any], why: str
) -> None:
    incident, attempt = begun(crew)
    options = {**change, "at": datetime.now(UTC) + change.get("at", NOW)}

    answer = send(attempt, report(attempt), **options)

    attempt.refresh_from_db()
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json"), why
    assert (attempt.state, ends(incident)) == (AttemptState.STARTED, FOLLOWED)
    assert CallbackReceipt.objects.count() == 0


def test_a_body_that_was_changed_on_the_way_is_not_heard(begun: Callable[..., Any], crew: Crew) -> None:
    _, attempt = begun(crew)
    signature = Webhook(KEY).sign("msg_1", datetime.now(UTC), orjson.dumps(report(attempt, "failed")).decode())

    assert send(attempt, report(attempt), **{"webhook-signature": signature}).status_code == 401


def test_what_we_sent_ourselves_is_no_report(begun: Callable[..., Any], crew: Crew) -> None:
    """Both ways are signed with the same key: our own message, sent back, says nothing."""
    _, attempt = begun(crew)
    ours = {"type": "lastgood.action.started", "timestamp": "2026-11-24T12:00:00Z", "data": {}}

    assert send(attempt, ours, message=str(attempt.pk)).status_code == 422
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.STARTED


@pytest.mark.parametrize("change", [{"secret": ""}, {"secret": "env:NOT_SET"}, {"config": {"url": "https://x.test/"}}])
def test_a_connector_without_a_secret_or_that_does_not_wait_hears_nothing(
    begun: Callable[..., Any], crew: Crew, change: dict[str, Any]
) -> None:
    _, attempt = begun(crew)
    Connector.objects.update(**change)

    assert send(attempt, report(attempt)).status_code == 401


@pytest.mark.parametrize("wanted", [uuid4(), "nonsense", "1"])
def test_an_attempt_that_is_not_there_looks_like_one_that_is_not_ours(wanted: Any) -> None:
    assert send(wanted, {"attempt": str(wanted), "epoch": 1, "state": "failed"}).status_code == 401


def test_both_keys_are_heard_while_one_is_rotated_out(
    begun: Callable[..., Any], crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, attempt = begun(crew)
    monkeypatch.setenv("HOOK_SECRET", f"{OTHER_KEY} {KEY}")

    assert send(attempt, report(attempt, "running")).json() == {"result": "applied"}
    assert send(attempt, report(attempt), message="msg_2", key=OTHER_KEY).json() == {"result": "applied"}


def test_a_message_about_another_attempt_moves_neither(begun: Callable[..., Any], crew: Crew) -> None:
    _, mine = begun(crew)
    _, other = begun(make_crew())

    crossed = send(other, report(mine))

    assert (crossed.status_code, crossed.json()["detail"]) == (409, "The message is about another attempt.")
    assert {attempt.state for attempt in Attempt.objects.all()} == {AttemptState.STARTED}


@pytest.mark.parametrize("epoch", [2, 2_147_483_647])
def test_a_message_about_another_start_moves_nothing(begun: Callable[..., Any], crew: Crew, epoch: int) -> None:
    incident, attempt = begun(crew)

    answer = send(attempt, report(attempt) | {"epoch": epoch})

    assert (answer.status_code, ends(incident)) == (409, FOLLOWED)
    assert answer.json()["detail"] == f"This attempt is at start 1; the message is about start {epoch}."


def test_an_earlier_start_is_not_taken_for_this_one(begun: Callable[..., Any], crew: Crew) -> None:
    _, attempt = begun(crew)
    Attempt.objects.filter(pk=attempt.pk).update(epoch=2)

    assert send(attempt, report(attempt)).status_code == 409
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.STARTED


def test_a_replay_has_one_effect(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)
    first = send(attempt, report(attempt, "running", output="new"), message="msg_1")
    Attempt.objects.filter(pk=attempt.pk).update(output="newer")
    again = send(attempt, report(attempt, "running", output="new"), message="msg_1")
    ended = send(attempt, report(attempt), message="msg_2")
    once_more = send(attempt, report(attempt), message="msg_2")
    other_id = send(attempt, report(attempt), message="msg_3")

    found = [answer.json()["result"] for answer in (first, again, ended, once_more, other_id)]
    assert found == ["applied", "repeated", "applied", "repeated", "repeated"]
    assert ends(incident) == [*FOLLOWED, Kind.ACTION_SUCCEEDED]


def test_two_systems_may_use_the_same_message_ids(begun: Callable[..., Any], crew: Crew) -> None:
    _, mine = begun(crew)
    _, other = begun(make_crew())

    assert [send(attempt, report(attempt)).json()["result"] for attempt in (mine, other)] == ["applied", "applied"]


def test_an_end_that_comes_late_is_on_record_and_changes_nothing(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)
    send(attempt, report(attempt, "failed"))

    late = send(attempt, report(attempt), message="msg_2")
    running = send(attempt, report(attempt, "running"), message="msg_3")

    attempt.refresh_from_db()
    assert (late.json(), running.json()) == ({"result": "late"}, {"result": "late"})
    assert attempt.state == AttemptState.FAILED
    assert ends(incident) == [*FOLLOWED, Kind.ACTION_FAILED, Kind.ACTION_LATE]


def test_a_callback_ends_an_outcome_that_was_unknown(begun: Callable[..., Any], crew: Crew) -> None:
    incident, attempt = begun(crew)
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=Now() - timedelta(seconds=1))
    attempts.sweep()

    send(attempt, report(attempt))

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.SUCCEEDED
    assert ends(incident) == [*FOLLOWED, Kind.ACTION_UNKNOWN, Kind.ACTION_SUCCEEDED]


def test_a_callback_that_is_quicker_than_our_own_writing_counts(begun: Callable[..., Any], crew: Crew) -> None:
    """The receiver calls back before the answer to the hook has reached us."""
    incident, attempt = begun(crew)
    claimed = attempts.Claim(attempt.pk, 1)
    send(attempt, report(attempt))
    from incidents.steps import following

    assert following.begin(claimed, following.Seen("Accepted", {"wait": "callback"}), {}) is False
    attempt.refresh_from_db()
    assert (attempt.state, ends(incident)) == (AttemptState.SUCCEEDED, [*FOLLOWED, Kind.ACTION_SUCCEEDED])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b'{"a": 1, "a": 2}', 400),
        (b'{"attempt": NaN}', 400),
        (b"\xff", 401),
        (b" " * 262_145, 413),
    ],
    ids=["empty", "cut", "list", "doubled", "nan", "no utf-8", "too large"],
)
def test_a_body_that_cannot_be_read_is_refused(begun: Callable[..., Any], crew: Crew, body: bytes, status: int) -> None:
    _, attempt = begun(crew)

    assert send(attempt, body).status_code == status


@pytest.mark.parametrize(
    "change",
    [
        {"state": "unknown"},
        {"state": "queued"},
        {"epoch": 0},
        {"epoch": "1"},
        {"epoch": True},
        {"attempt": "x"},
        {"output": 7},
        {"sentence": "a\x00b"},
        {"sentence": "x" * 801},
        {"second": "more"},
    ],
)
def test_a_report_of_another_shape_is_refused(begun: Callable[..., Any], crew: Crew, change: dict[str, Any]) -> None:
    incident, attempt = begun(crew)

    assert send(attempt, report(attempt) | change).status_code == 422
    assert ends(incident) == FOLLOWED


def test_nothing_but_post_is_known(begun: Callable[..., Any], crew: Crew) -> None:
    _, attempt = begun(crew)

    assert Client().get(f"/api/v1/attempts/{attempt.pk}/callback").status_code == 405


def test_the_document_lists_it() -> None:
    document = Client().get("/api/v1/openapi.json").json()

    operation = document["paths"]["/api/v1/attempts/{attempt_id}/callback"]["post"]
    assert operation["security"] == [{"Signed": []}]
    assert document["components"]["securitySchemes"]["Signed"]["name"] == "webhook-signature"


def test_a_stamp_is_judged_by_our_clock(begun: Callable[..., Any], crew: Crew) -> None:
    _, attempt = begun(crew)
    sent = clock.now()

    with time_machine.travel(sent + timedelta(seconds=290)):
        assert send(attempt, report(attempt, "running"), at=sent).status_code == 200
    with time_machine.travel(sent + timedelta(seconds=310)):
        assert send(attempt, report(attempt), at=sent, message="msg_2").status_code == 401
