"""Updates and report over the API: the same rules, words and files as the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from comms import notices
from comms.models import Notice, Report, ReportState
from comms.reports import queue
from incidents import clock
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import NoticeKind, Role
from tests.comms.world import arrive
from tests.factories import Crew, make_incident
from tests.incidents.api.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files_of_this_test(settings: object, tmp_path: object) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


@pytest.fixture
def owner(crew: Crew, calling: Callable[..., Caller]) -> Caller:
    return calling(crew[Role.COMMUNICATIONS_OWNER])


def path(incident: Incident, rest: str) -> str:
    return f"incidents/{incident.reference}/{rest}"


def test_an_update_is_issued_as_drafted_and_read_back_with_its_copies(incident: Incident, owner: Caller) -> None:
    draft = owner.get(path(incident, "notices/A/draft")).json()

    answer = owner.post(path(incident, "notices/A/issue"))

    issued = answer.json()
    assert answer.status_code == 201
    assert (issued["subject"], issued["body"]) == (draft["subject"], draft["body"])
    assert (issued["state"], issued["sequence"], len(issued["deliveries"])) == ("sending", 1, 2)
    arrive(Notice.objects.get())
    found = owner.get(path(incident, "notices")).json()
    assert [(notice["kind"], notice["state"]) for notice in found["issued"]] == [("A", "sent")]
    assert {copy["state"] for copy in found["issued"][0]["deliveries"]} == {"sent"}
    assert found["next_update_at"] == issued["next_update_at"]
    assert not found["overdue"]


def test_what_is_given_takes_the_place_of_the_draft(incident: Incident, owner: Caller) -> None:
    promised = (clock.now() + timedelta(minutes=12)).replace(microsecond=0)

    issued = owner.post(path(incident, "notices/A/issue"), {"next_update_at": promised.isoformat()}).json()

    assert f"Next update: {promised:%Y-%m-%d %H:%M} UTC." in issued["body"]
    assert clock.stamp(Notice.objects.get().next_update_at) == clock.stamp(promised)


def test_a_refusal_lists_what_stands_in_the_way(incident: Incident, owner: Caller) -> None:
    answer = owner.post(path(incident, "notices/B/issue"))

    assert answer.status_code == 409
    assert answer.json()["blockers"] == ["Update A comes first: stakeholders do not know of the rollback yet."]
    assert owner.get(path(incident, "notices/B/draft")).json()["blockers"] == answer.json()["blockers"]


def test_others_may_not_send(incident: Incident, crew: Crew, calling: Callable[..., Caller]) -> None:
    assert calling(crew[Role.API_LEAD]).post(path(incident, "notices/A/issue")).status_code == 403
    assert calling(crew.outsider).post(path(incident, "notices/A/issue")).status_code == 404
    assert calling(crew.commander, scopes=("read",)).post(path(incident, "notices/A/issue")).status_code == 403
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"subject": ""}, 422),
        ({"subject": "x" * 301}, 422),
        ({"subject": 5}, 422),
        ({"body": "a\u0000b"}, 422),
        ({"next_update_at": "tomorrow"}, 422),
        ({"next_update_at": "2020-01-01T00:00:00Z"}, 409),
        ({"recipients": ["x@example.test"]}, 422),
    ],
)
def test_bad_input_is_a_problem_and_nothing_is_sent(
    incident: Incident, owner: Caller, body: dict[str, object], status: int
) -> None:
    answer = owner.post(path(incident, "notices/A/issue"), body)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert not Notice.objects.exists()


@pytest.mark.parametrize("rest", ["notices/D/issue", "notices/reminder/issue"])
def test_there_is_no_other_update_to_issue(incident: Incident, owner: Caller, rest: str) -> None:
    assert owner.post(path(incident, rest)).status_code == 404


def test_a_preview_is_the_whole_letter(incident: Incident, owner: Caller) -> None:
    letter = owner.post(path(incident, "notices/A/preview"), {"body": "Hello <b>there</b>"}).json()

    assert letter["text"].startswith("Hello <b>there</b>\nNext update: ")
    assert "Hello &lt;b&gt;there&lt;/b&gt;" in letter["html"]
    assert not Notice.objects.exists()


def test_a_draft_is_kept_and_dropped(incident: Incident, owner: Caller) -> None:
    answer = owner.client.put(
        f"/api/v1/{path(incident, 'notices/A/draft')}",
        b'{"subject": "Kept"}',
        content_type="application/json",
        headers=owner.headers,
    )

    assert (answer.status_code, answer.json()["subject"], answer.json()["saved"]) == (200, "Kept", True)
    assert notices.draft(incident, NoticeKind.A).subject == "Kept"
    owner.client.delete(f"/api/v1/{path(incident, 'notices/A/draft')}", headers=owner.headers)
    assert notices.saved(incident, NoticeKind.A) is None


# The report ---------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_pdf_is_202_until_it_is_there_and_then_200(incident: Incident, owner: Caller, crew: Crew) -> None:
    first = owner.get(path(incident, "report.pdf"))
    report = Report.objects.get()
    queue.run(report.pk)
    declare.add_note(incident, by=crew.commander, text="One more entry")

    kept = owner.get(path(incident, "report.pdf"), entry=first.json()["evidence_seq"])

    assert first.status_code == 202
    assert first.json() == {
        "state": "queued",
        "progress": "",
        "evidence_seq": 6,
        "retry_after": 2,
        "url": f"http://127.0.0.1:8000/api/v1/incidents/{incident.reference}/report.pdf?entry=6",
    }
    assert (kept.status_code, kept["Content-Type"]) == (200, "application/pdf")
    assert b"".join(kept.streaming_content).startswith(b"%PDF-")
    assert owner.get(path(incident, "report.pdf")).status_code == 202


def test_a_report_that_cannot_be_made_is_a_problem_and_later_tried_again(incident: Incident, owner: Caller) -> None:
    queue.ask(incident.pk)
    Report.objects.update(state=ReportState.FAILED, problem="The report took too long.", finished_at=clock.now())

    answer = owner.get(path(incident, "report.pdf"))

    assert (answer.status_code, answer.json()["detail"]) == (409, "The report took too long.")
    Report.objects.update(finished_at=clock.now() - timedelta(minutes=1))
    assert owner.get(path(incident, "report.pdf")).json()["state"] == "queued"


@pytest.mark.parametrize("entry", ["0", "x", "-1", "1e3", "99999999999999999999"])
def test_an_entry_that_is_none_is_a_problem(incident: Incident, owner: Caller, entry: str) -> None:
    assert owner.get(path(incident, "report.pdf"), entry=entry).status_code == 422


@pytest.mark.parametrize("name", ["report.md", "followups.csv", "followups.beads.jsonl", "report.pdf"])
def test_the_exports_are_for_those_who_may_know_of_the_incident(
    incident: Incident, owner: Caller, crew: Crew, calling: Callable[..., Caller], name: str
) -> None:
    assert owner.get(path(incident, name)).status_code in (200, 202)
    assert calling(crew.outsider).get(path(incident, name)).status_code == 404
