"""The pages of updates and report: what a person sees, sends, and never loses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from comms import delivery, notices
from comms.models import Notice, Recipient, Report, ReportState
from comms.reports import queue
from comms.smtp import Outcome, Verdict
from incidents import clock
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import NoticeKind, Phase, Role
from tests.comms.world import arrive, issue
from tests.factories import Crew, make_incident

pytestmark = pytest.mark.django_db
SignedIn = Callable[[Any], Client]


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


@pytest.fixture
def owner(crew: Crew, signed_in: SignedIn) -> Client:
    return signed_in(crew[Role.COMMUNICATIONS_OWNER])


@pytest.fixture(autouse=True)
def _files_of_this_test(settings: object, tmp_path: object) -> None:
    settings.MEDIA_ROOT = tmp_path


def url(incident: Incident, path: str) -> str:
    return f"/incidents/{incident.reference}/{path}"


def typed(page: str, kind: str) -> dict[str, str]:
    """What the form of one card holds, as a browser would send it back."""
    card = page.partition(f'id="{kind}"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'<input[^>]* name="(subject|next_update_at|seen)"[^>]* value="([^"]*)"', card))
    body = re.search(r'<textarea name="body"[^>]*>\n?(.*?)</textarea>', card, re.DOTALL)
    assert body
    return {"seen": "", **fields, "body": body[1]}


def test_the_card_that_is_due_shows_its_draft_ready_to_send(incident: Incident, owner: Client) -> None:
    page = owner.get(url(incident, "notices/")).content.decode()

    assert typed(page, "A")["subject"].startswith("Portarium delivery rollback declared - ")
    assert "Current owner: Mara Lind, Incident Commander." in typed(page, "A")["body"]
    assert "Send to 2 recipients" in page
    assert "Update A comes first: stakeholders do not know of the rollback yet." in page


def test_sending_leads_to_the_update_with_every_copy(incident: Incident, owner: Client) -> None:
    fields = typed(owner.get(url(incident, "notices/")).content.decode(), "A")

    answer = owner.post(url(incident, "notices/A/"), fields | {"do": "send"}, follow=True)

    notice = Notice.objects.get()
    page = answer.content.decode()
    assert answer.request["PATH_INFO"] == url(incident, f"notices/{notice.pk}/")
    assert "Update A is on its way." in page
    for copy in notice.deliveries.all():
        assert copy.email in page
        assert copy.message_id.strip("<>") in page
        assert copy.sha256 in page
    assert notice.words_sha256 in page


def test_a_refused_update_keeps_what_was_typed_in_the_form_and_as_a_draft(incident: Incident, owner: Client) -> None:
    Recipient.objects.all().delete()
    fields = typed(owner.get(url(incident, "notices/")).content.decode(), "A") | {
        "body": "Typed with care",
        "do": "send",
    }

    page = owner.post(url(incident, "notices/A/"), fields).content.decode()

    assert "Portarium has no active recipient: add one first." in page
    assert typed(page, "A")["body"] == "Typed with care"
    assert notices.draft(incident, NoticeKind.A).body == "Typed with care"
    assert typed(owner.get(url(incident, "notices/")).content.decode(), "A")["body"] == "Typed with care"


def test_a_form_with_a_mistake_keeps_what_was_typed(incident: Incident, owner: Client) -> None:
    page = owner.post(
        url(incident, "notices/A/"), {"subject": "", "body": "Typed with care", "next_update_at": "soon", "do": "send"}
    ).content.decode()

    assert "This field is required." in page
    assert "Enter a valid date/time." in page
    assert typed(page, "A")["body"] == "Typed with care"
    assert not Notice.objects.exists()


def test_a_preview_shows_the_letter_and_sends_nothing(incident: Incident, owner: Client) -> None:
    fields = typed(owner.get(url(incident, "notices/")).content.decode(), "A") | {"body": "Hello there"}

    page = owner.post(url(incident, "notices/A/"), fields | {"do": "preview"}).content.decode()

    assert "This is how it will arrive. Nothing has been sent." in page
    assert re.search(r"letter-body\">Hello there\nNext update: [-0-9: ]+ UTC\.\n", page)
    assert not Notice.objects.exists()


def test_a_saved_draft_says_what_the_template_reads_differently_now(
    incident: Incident, owner: Client, crew: Crew
) -> None:
    page = owner.get(url(incident, "notices/")).content.decode()
    owner.post(url(incident, "notices/A/"), typed(page, "A") | {"do": "save"})
    from incidents.terms import Level

    declare.raise_level(incident, Level.L3, by=crew.commander, reason="Evidence is affected")

    page = owner.get(url(incident, "notices/")).content.decode()
    assert "A saved draft: 1 line of the template read differently now" in page
    assert "Scope level: L3 Code, data, evidence and credentials." in page
    owner.post(url(incident, "notices/A/"), {"do": "anew"})
    assert "Scope level: L3" in typed(owner.get(url(incident, "notices/")).content.decode(), "A")["body"]


def test_two_people_at_one_draft_do_not_write_over_each_other(
    incident: Incident, owner: Client, crew: Crew, signed_in: SignedIn
) -> None:
    commander = signed_in(crew.commander)
    begun = typed(commander.get(url(incident, "notices/")).content.decode(), "A")
    owner.post(url(incident, "notices/A/"), begun | {"body": "Hers", "do": "save"})

    page = commander.post(url(incident, "notices/A/"), begun | {"body": "His", "do": "save"}).content.decode()

    assert "Ada Łukasik saved this draft at" in page
    assert notices.draft(incident, NoticeKind.A).body == "Hers"
    assert typed(page, "A")["body"] == "His"
    commander.post(url(incident, "notices/A/"), typed(page, "A") | {"do": "save"})
    assert notices.draft(incident, NoticeKind.A).body == "His"


def test_others_read_the_draft_and_cannot_send(incident: Incident, crew: Crew, signed_in: SignedIn) -> None:
    lead = signed_in(crew[Role.API_LEAD])

    page = lead.get(url(incident, "notices/")).content.decode()
    answer = lead.post(
        url(incident, "notices/A/"),
        {"subject": "S", "body": "B", "next_update_at": "2099-01-01T00:00", "do": "send"},
    )

    assert "Draft · for the Incident Commander or Communications Owner" in page
    assert 'value="send"' not in page
    assert "is for the Incident Commander or Communications Owner of this incident" in answer.content.decode()
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["notices/", "report/", "report.pdf", "report.md", "followups.csv", "followups.beads.jsonl"],
)
def test_who_may_not_know_of_the_incident_finds_nothing(
    incident: Incident, crew: Crew, signed_in: SignedIn, path: str
) -> None:
    assert signed_in(crew.outsider).get(url(incident, path)).status_code == 404
    assert Client().get(url(incident, path)).status_code == 302
    assert not Report.objects.exists()


@pytest.mark.parametrize("path", ["notices/X/", "notices/reminder/", "notices/stand_down/"])
def test_there_is_no_other_update_to_write(incident: Incident, owner: Client, path: str) -> None:
    assert owner.post(url(incident, path), {"do": "send"}).status_code == 404
    assert owner.get(url(incident, "notices/A/")).status_code == 405


def test_another_incidents_update_is_not_found_here(incident: Incident, owner: Client) -> None:
    from tests.comms.world import told_crew

    other = told_crew()
    foreign = issue(make_incident(other), other, NoticeKind.A)

    assert owner.get(url(incident, f"notices/{foreign.pk}/")).status_code == 404


def test_a_failed_copy_is_what_the_communications_owner_sees_first(
    incident: Incident, owner: Client, crew: Crew
) -> None:
    notice = issue(incident, crew, NoticeKind.A)
    taken, refused = delivery.claim(notice.pk, "test")
    delivery.mark(taken, Outcome(Verdict.SENT, ""))
    delivery.mark(refused, Outcome(Verdict.REFUSED, "550 5.1.1 <b>no such person</b>"))
    delivery.settle(notice.pk)

    page = owner.get(url(incident, f"notices/{notice.pk}/")).content.decode()
    overview = owner.get(url(incident, "notices/")).content.decode()

    assert "1 of 2" in page
    assert "550 5.1.1 &lt;b&gt;no such person&lt;/b&gt;" in page
    assert page.index(refused.email) < page.index(taken.email)
    assert "1 failed" in overview


def test_an_overdue_update_is_red(incident: Incident, owner: Client) -> None:
    Incident.objects.update(declared_at=clock.now() - timedelta(hours=2))

    page = owner.get(url(incident, "notices/")).content.decode()

    assert re.search(r'class="card bad" id="next-update"', page)
    assert "late</time>" in page


def test_a_stood_down_incident_offers_the_stand_down_notice(crew: Crew, owner: Client) -> None:
    incident = make_incident(crew, at=Phase.STOOD_DOWN)

    fields = typed(owner.get(url(incident, "notices/")).content.decode(), "stand_down")
    answer = owner.post(url(incident, "notices/stand_down/"), fields | {"do": "send"}, follow=True)

    assert "Reason: False alarm." in answer.content.decode()
    assert Notice.objects.get().kind == NoticeKind.STAND_DOWN


def test_the_page_costs_the_same_for_many_updates(incident: Incident, owner: Client, crew: Crew) -> None:
    arrive(issue(incident, crew, NoticeKind.A))

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert owner.get(url(incident, "notices/")).status_code == 200
        return len(queries)

    few = statements()
    for number in range(6):
        arrive(issue(incident, crew, NoticeKind.B, body=f"Update {number}"))

    assert statements() == few


# The report ---------------------------------------------------------------------------------------------------------


def test_a_report_is_made_shown_and_downloaded(incident: Incident, owner: Client) -> None:
    assert "Make the report" in owner.get(url(incident, "report/")).content.decode()

    page = owner.post(url(incident, "report/make/"), follow=True).content.decode()
    assert "Waiting for the renderer" in page
    assert 'hx-trigger="every 1s"' in page

    queue.run(Report.objects.get().pk)
    page = owner.get(url(incident, "report/")).content.decode()
    answer = owner.get(url(incident, "report.pdf"))

    assert "hx-trigger" not in page.partition('id="report-state"')[2].partition(">")[0]
    assert f"{Report.objects.get().pages} pages" in page
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="{incident.reference}-report.pdf"'
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert b"".join(answer.streaming_content).startswith(b"%PDF-")


@pytest.mark.thorough
def test_asking_for_a_pdf_that_is_not_there_leads_to_the_page_that_shows_how_far_it_is(
    incident: Incident, owner: Client, crew: Crew
) -> None:
    assert owner.get(url(incident, "report.pdf"))["Location"].startswith(url(incident, "report/"))
    queue.run(Report.objects.get().pk)
    declare.add_note(incident, by=crew.commander, text="One more entry")

    assert owner.get(url(incident, "report.pdf?entry=6")).status_code == 200
    assert "1 newer entry in the log." in owner.get(url(incident, "report/")).content.decode()
    assert owner.get(url(incident, "report.pdf")).status_code == 302


def test_a_report_that_cannot_be_made_says_why_and_can_be_tried_again(incident: Incident, owner: Client) -> None:
    report = queue.ask(incident.pk)
    Report.objects.update(state=ReportState.FAILED, problem="The report took too long and was stopped.")

    page = owner.get(url(incident, "report/")).content.decode()
    owner.post(url(incident, "report/make/"))

    assert "The report took too long and was stopped." in page
    assert "Try again" in page
    report.refresh_from_db()
    assert report.state == ReportState.QUEUED


@pytest.mark.parametrize(
    ("path", "kind", "begin"),
    [
        ("report.md", "text/markdown; charset=utf-8", b"# Review: RB-"),
        ("followups.csv", "text/csv; charset=utf-8", b'"incident","number"'),
        ("followups.beads.jsonl", "application/x-ndjson; charset=utf-8", b""),
    ],
)
def test_the_exports_are_files_for_other_tools(
    incident: Incident, owner: Client, path: str, kind: str, begin: bytes
) -> None:
    answer = owner.get(url(incident, path))

    assert answer["Content-Type"] == kind
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content.startswith(begin)
