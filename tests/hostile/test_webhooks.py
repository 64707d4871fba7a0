"""Signed messages and tokens under attack: replayed, skewed, cut, mixed up, late, revoked in the middle of a run."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from incidents.models import Attempt, CallbackReceipt, Suggestion
from incidents.steps import rollback
from incidents.terms import AttemptState, Kind, Role
from portal.accounts.models import ApiToken, Scope
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.admin.given import address, clerk
from tests.incidents.api.calling import crew, static_folder
from tests.incidents.api.reporting import ACTION, FOLLOWED, OTHER_KEY, Begin, begun, ends, report, send
from tests.incidents.connectors.given import KEY
from tests.servers.portal import Process, running_web

__all__ = ["begun", "crew", "static_folder"]

pytestmark = pytest.mark.django_db
TIMES = 1_000
LANES = 8
SOON = 1.0


@pytest.fixture
def web(process_env: dict[str, str], transactional_db: None, tmp_path: Path) -> Iterator[Process]:
    """The real web server, which knows the connector's key."""
    with running_web(process_env | {"HOOK_SECRET": KEY}, tmp_path / "web.log") as process:
        yield process
        process.check_log()


class Line:
    """A kept connection to the web server, as a machine has one."""

    def __init__(self, server: Process) -> None:
        self._to = HTTPConnection(urlsplit(server.url).netloc, timeout=30)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
        try:
            self._to.request(method, f"/api/v1/{path}", body, {"Content-Type": "application/json", **headers})
            answer = self._to.getresponse()
        except (ConnectionError, HTTPException):  # a body that was refused unread ends the connection
            self._to.close()
            return self.ask(method, path, headers, body)
        content = answer.read()
        return answer.status, json.loads(content) if content else None


def signed(body: bytes, *, message: str = "msg_1", key: str = KEY, at: datetime | None = None) -> dict[str, str]:
    sent = at or datetime.now(UTC)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(key).sign(message, sent, body.decode()),
    }


SHOWN = ("state", "epoch", "sentence", "output", "remote_ref")


def nothing_came_of(attempt: Attempt) -> bool:
    """Whether the attempt is as it was when it was read, and the log and the receipts say nothing."""
    before = [getattr(attempt, name) for name in SHOWN]
    attempt.refresh_from_db()
    is_as_it_was = [getattr(attempt, name) for name in SHOWN] == before
    return is_as_it_was and ends(attempt.action.incident) == FOLLOWED and not CallbackReceipt.objects.exists()


# Replayed ------------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_a_thousand_replays_over_eight_lines_have_one_effect(web: Process, begun: Begin) -> None:
    incident, attempt = begun(make_crew())
    body = orjson.dumps(report(attempt))
    headers = signed(body)
    path = f"attempts/{attempt.pk}/callback"

    def shower(_: int) -> list[tuple[int, str]]:
        line = Line(web)
        answers = [line.ask("POST", path, headers, body) for _ in range(TIMES // LANES)]
        return [(status, answer["result"]) for status, answer in answers]

    with ThreadPoolExecutor(LANES) as pool:
        found = Counter(answer for answers in pool.map(shower, range(LANES)) for answer in answers)

    attempt.refresh_from_db()
    assert found == {(200, "applied"): 1, (200, "repeated"): TIMES - 1}
    assert (attempt.state, ends(incident)) == (AttemptState.SUCCEEDED, [*FOLLOWED, Kind.ACTION_SUCCEEDED])
    assert CallbackReceipt.objects.count() == 1


def test_a_replay_beside_a_later_message_does_not_turn_the_attempt_back(begun: Begin, crew: Crew) -> None:
    incident, attempt = begun(crew)
    first = send(attempt, report(attempt, "running", output="one"), message="msg_1")
    send(attempt, report(attempt, "failed"), message="msg_2")

    again = send(attempt, report(attempt, "running", output="one"), message="msg_1")

    attempt.refresh_from_db()
    assert (first.json()["result"], again.json()["result"]) == ("applied", "repeated")
    assert (attempt.state, ends(incident)) == (AttemptState.FAILED, [*FOLLOWED, Kind.ACTION_FAILED])


# Skewed --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-86_400, -3_600, -302, 302, 3_600, 86_400, 400_000_000])
def test_a_stamp_that_is_more_than_five_minutes_off_counts_for_nothing(begun: Begin, crew: Crew, seconds: int) -> None:
    _, attempt = begun(crew)

    answer = send(attempt, report(attempt), at=datetime.now(UTC) + timedelta(seconds=seconds))

    assert (answer.status_code, nothing_came_of(attempt)) == (401, True)


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "0",
        "-1",
        "1e9",
        "0x5f",
        " ",
        "NaN",
        "inf",
        "99999999999",
        "{now}.5",
        "+{now}",
        "{now} ",
        "{now}000",
        "\u0661",
    ],
)
def test_a_stamp_that_is_not_the_signed_one_counts_for_nothing(begun: Begin, crew: Crew, stamp: str) -> None:
    _, attempt = begun(crew)
    skewed = stamp.format(now=int(datetime.now(UTC).timestamp()))

    answer = send(attempt, report(attempt), **{"webhook-timestamp": skewed})

    assert (answer.status_code, nothing_came_of(attempt)) == (401, True)


def test_an_old_message_under_a_fresh_stamp_counts_for_nothing(begun: Begin, crew: Crew) -> None:
    _, attempt = begun(crew)
    body = orjson.dumps(report(attempt))
    old = signed(body, at=datetime.now(UTC) - timedelta(hours=1))

    answer = send(attempt, body, **{"webhook-signature": old["webhook-signature"]})

    assert (answer.status_code, nothing_came_of(attempt)) == (401, True)


# Cut and changed -----------------------------------------------------------------------------------------------------


def test_no_shorter_or_changed_signature_is_taken_for_the_whole(begun: Begin, crew: Crew) -> None:
    _, attempt = begun(crew)
    body, at = orjson.dumps(report(attempt)), datetime.now(UTC)
    whole = signed(body, at=at)["webhook-signature"]
    cut = [whole[:length] for length in range(len(whole))]
    changed = [
        whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :] for place in range(len(whole))
    ]
    dressed = [
        whole.lower(),
        whole.replace("v1,", "v2,"),
        whole.replace("v1,", "v1a,"),
        whole[3:],
        whole + "=",
        "v1," * 9,
    ]

    answers = [send(attempt, body, at=at, **{"webhook-signature": wrong}) for wrong in (*cut, *changed, *dressed)]

    assert {answer.status_code for answer in answers} == {401}
    assert nothing_came_of(attempt)


def test_the_right_signature_behind_a_crowd_of_wrong_ones_is_not_looked_for(begun: Begin, crew: Crew) -> None:
    _, attempt = begun(crew)
    body, at = orjson.dumps(report(attempt)), datetime.now(UTC)
    whole = signed(body, at=at)["webhook-signature"]
    wrong = f"v1,{'A' * 43}="

    far = send(attempt, body, at=at, **{"webhook-signature": " ".join([wrong] * 500 + [whole])})
    assert (far.status_code, nothing_came_of(attempt)) == (401, True)

    near = send(attempt, body, at=at, **{"webhook-signature": f"{wrong} {whole}"})
    assert near.json() == {"result": "applied"}


def test_a_body_with_one_byte_more_or_less_counts_for_nothing(begun: Begin, crew: Crew) -> None:
    _, attempt = begun(crew)
    body, at = orjson.dumps(report(attempt)), datetime.now(UTC)
    signature = {"webhook-signature": signed(body, at=at)["webhook-signature"]}

    for other in (body + b" ", body[:-1], body.replace(b"succeeded", b"failed"), b"", body.replace(b":", b": ", 1)):
        assert send(attempt, other, at=at, **signature).status_code == 401

    assert nothing_came_of(attempt)


# Keys mixed up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [OTHER_KEY, KEY[:-4] + "AAAA", "whsec_" + "A" * 32],
    ids=["another connector's", "one that begins the same", "zeros"],
)
def test_another_key_signs_nothing(begun: Begin, crew: Crew, key: str) -> None:
    _, attempt = begun(crew)

    assert send(attempt, report(attempt), key=key).status_code == 401
    assert nothing_came_of(attempt)


def test_a_key_that_was_rotated_out_signs_nothing(begun: Begin, crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    _, attempt = begun(crew)
    monkeypatch.setenv("HOOK_SECRET", OTHER_KEY)

    assert send(attempt, report(attempt)).status_code == 401
    assert nothing_came_of(attempt)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_!!!", "whsec_QUJD", "whsec_\u00e9", "   "])
def test_a_secret_that_is_no_key_hears_nothing(
    begun: Begin, crew: Crew, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """A key that is too short could be guessed; one that is none must not end in an error."""
    _, attempt = begun(crew)
    monkeypatch.setenv("HOOK_SECRET", secret)

    answers = [send(attempt, report(attempt)), send(attempt, report(attempt), key="whsec_QUJD")]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert nothing_came_of(attempt)


def test_a_token_is_no_signature_and_a_signature_is_no_token(begun: Begin, crew: Crew) -> None:
    incident, attempt = begun(crew)
    _, secret = ApiToken.issue(crew.commander, name="agent", scopes=list(Scope))
    body = orjson.dumps(report(attempt))
    bearer = {"Authorization": f"Bearer {secret}"}
    client = Client()

    with_token = client.post(f"/api/v1/attempts/{attempt.pk}/callback", body, "application/json", headers=bearer)
    note = f"/api/v1/incidents/{incident.reference}/declare/note"
    with_signature = client.post(note, b'{"text": "x"}', "application/json", headers=signed(b'{"text": "x"}'))

    assert (with_token.status_code, with_signature.status_code) == (401, 401)
    assert nothing_came_of(attempt)


# Another attempt, another start --------------------------------------------------------------------------------------


def test_a_message_for_one_attempt_moves_no_other_of_the_same_key(begun: Begin, crew: Crew) -> None:
    _, mine = begun(crew)
    _, other = begun(make_crew())

    answers = [
        send(other, report(mine)),
        send(mine, report(other)),
        send(mine, report(mine) | {"attempt": "0" * 8 + str(mine.pk)[8:]}),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert all(nothing_came_of(attempt) for attempt in (mine, other))


def test_the_message_of_an_earlier_start_moves_no_later_one(begun: Begin, crew: Crew) -> None:
    incident, attempt = begun(crew)
    body, at, before = orjson.dumps(report(attempt)), datetime.now(UTC), attempt.output
    Attempt.objects.filter(pk=attempt.pk).update(epoch=2)

    late = send(attempt, body, at=at)
    ahead = send(attempt, report(attempt) | {"epoch": 3})

    attempt.refresh_from_db()
    assert (late.status_code, ahead.status_code) == (409, 409)
    assert (attempt.state, attempt.output, ends(incident)) == (AttemptState.STARTED, before, FOLLOWED)


def test_the_message_of_an_ended_attempt_moves_no_second_try(begun: Begin, crew: Crew) -> None:
    incident, first = begun(crew)
    send(first, report(first, "failed"))
    action = incident.actions.get(key=ACTION)
    second = rollback.dispatch(action, by=crew[Role(action.owner)])

    late = send(first, report(first), message="msg_2")
    crossed = send(second, report(first), message="msg_3")

    second.refresh_from_db()
    assert (late.json(), crossed.status_code) == ({"result": "late"}, 409)
    assert second.state == AttemptState.QUEUED


# Revoked in the middle of a run --------------------------------------------------------------------------------------


def in_the_back_office(token: ApiToken) -> None:
    _, client = clerk()
    assert client.post(address(token, "revoke")).status_code == 302


def by_expiry(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(expires_at=datetime.now(UTC))


def by_leaving(token: ApiToken) -> None:
    token.user.is_active = False
    token.user.save(update_fields=["is_active"])


@pytest.mark.thorough
@pytest.mark.parametrize("end", [in_the_back_office, by_expiry, by_leaving])
def test_a_token_that_ends_in_the_middle_of_a_run_is_refused_from_the_next_request_on(
    served: Process, end: Callable[[ApiToken], None]
) -> None:
    crew = make_crew()
    incident = make_incident(crew)
    token, secret = ApiToken.issue(crew.commander, name="agent", scopes=list(Scope))
    headers, over = {"Authorization": f"Bearer {secret}"}, threading.Event()
    asked: list[tuple[str, str, bytes | None]] = [
        ("GET", f"freeze/{crew.product.slug}/check?operation=merge", None),
        ("GET", f"incidents/{incident.reference}", None),
        ("POST", f"suggestions/{crew.product.slug}/ci", b'{"pipeline": "ci:pr"}'),
        ("POST", f"incidents/{incident.reference}/rollback/plan", b"{}"),
    ]

    def poll(question: tuple[str, str, bytes | None]) -> list[tuple[float, float, int]]:
        line, found = Line(served), []
        while not over.is_set():
            sent = time.monotonic()
            status = line.ask(question[0], question[1], headers, question[2])[0]
            found.append((sent, time.monotonic(), status))
        return found

    with ThreadPoolExecutor(len(asked)) as pool:
        runs = [pool.submit(poll, question) for question in asked]
        time.sleep(SOON)
        ending = time.monotonic()
        end(token)
        ended = time.monotonic()
        time.sleep(SOON)
        over.set()
        answers = [run.result(30) for run in runs]

    for found in answers:
        before = {status for _, answered, status in found if answered < ending}
        after = {status for sent, _, status in found if sent > ended}
        assert before
        assert 401 not in before
        assert after == {401}


def test_nothing_is_suggested_with_a_token_that_was_revoked_or_never_was(crew: Crew) -> None:
    token, secret = ApiToken.issue(UserFactory(), name="Alertmanager", scopes=["suggest"])
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=datetime.now(UTC))
    made_up = secret[:20] + secret[20:][::-1]
    url, body = f"/api/v1/suggestions/{crew.product.slug}/ci", b'{"pipeline": "ci:pr"}'

    for given in (secret, made_up, secret.upper(), secret + "A", f"{secret} {secret}", ""):
        headers = {"Authorization": f"Bearer {given}"}
        assert Client().post(url, body, "application/json", headers=headers).status_code == 401

    assert Suggestion.objects.count() == 0
