"""A form that is too large to read: the person is back at it with a sentence, and nothing was changed."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, text_of
from tests.servers.portal import Process

pytestmark = pytest.mark.django_db

SENTENCE = (
    "What you sent is larger than 2.5\xa0MB, so it was not read and nothing was changed."
    " Shorten the text, or attach it as a file where the form takes one."
)
FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data"
PART = '--b\r\nContent-Disposition: form-data; name="reason"\r\n\r\n'
TOO_LARGE = "x" * 10_000_000


@pytest.fixture
def crew(static_folder: None) -> Crew:
    return make_crew()


def test_the_person_lands_on_the_form_with_a_sentence(crew: Crew) -> None:
    incident = make_incident(crew)
    visitor = at(incident, crew.commander)
    form = visitor.url("target")

    for sent in ({"reason": TOO_LARGE}, urlencode({"reason": TOO_LARGE})):
        how = {"content_type": FORM} if isinstance(sent, str) else {}
        page: Any = visitor.client.post(form, sent, follow=True, **how)

        assert page.redirect_chain == [(form, 302)]
        assert SENTENCE.replace("\xa0", " ") in text_of(page)
        assert SENTENCE not in visitor.client.get(form).content.decode()


@pytest.mark.parametrize(
    ("referer", "leads_to"),
    [
        ("http://testserver{page}", "http://testserver{page}"),
        ("", "{sent_to}"),
        ("https://evil.example{page}", "{sent_to}"),
        ("//evil.example{page}", "{sent_to}"),
        ("javascript:alert(1)", "{sent_to}"),
    ],
)
def test_the_way_back_is_the_page_of_the_form_and_never_another_site(crew: Crew, referer: str, leads_to: str) -> None:
    visitor = at(make_incident(crew), crew.commander)
    page, sent_to = visitor.url("war_room"), visitor.url("notes")

    answer = visitor.client.post(sent_to, {"text": TOO_LARGE}, headers={"referer": referer.format(page=page)})

    assert (answer.status_code, answer["Location"]) == (302, leads_to.format(page=page, sent_to=sent_to))


def test_a_file_beside_the_text_is_not_kept(crew: Crew, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    visitor = at(incident, crew[Role.DATA_EVIDENCE_LEAD])
    file = SimpleUploadedFile("notes.txt", b"n" * 3_000_000)

    before = incident.chain.entries.count()
    answer = visitor.send("cleanup_area", "data", **{"repair-notes-file": file, "note": TOO_LARGE})

    assert [str(message) for message in get_messages(answer.wsgi_request)] == [SENTENCE]
    assert (incident.chain.entries.count(), incident.exhibits.count(), list(tmp_path.rglob("*"))) == (before, 0, [])


def test_a_form_of_the_size_that_is_read_comes_through(crew: Crew) -> None:
    visitor = at(make_incident(crew), crew.commander)
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE - len("reason=")

    answer = visitor.client.post(visitor.url("target"), f"reason={'x' * most}", content_type=FORM)

    assert (answer.status_code, SENTENCE in answer.content.decode()) == (200, False)


def test_the_form_of_a_stranger_is_not_read_and_leaves_no_session(crew: Crew) -> None:
    client = Client()

    answer = client.post(reverse("account_login"), {"username": TOO_LARGE, "password": "x"})

    assert (answer.status_code, dict(client.cookies)) == (400, {})


def test_a_form_without_its_token_is_still_refused(crew: Crew) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(crew.commander)

    assert client.post(reverse("account_logout")).status_code == 403
    assert client.get(reverse("incidents:board")).status_code == 200


@pytest.mark.parametrize(("kind", "before"), [(FORM, "reason="), (f"{FILES}; boundary=b", PART)])
def test_whoever_sends_it_all_before_reading_gets_the_answer(served: Process, kind: str, before: str) -> None:
    crew = make_crew()
    visitor = at(make_incident(crew), crew.commander)
    session = visitor.client.cookies[settings.SESSION_COOKIE_NAME].value
    line = HTTPConnection(urlsplit(served.url).netloc, timeout=30)

    headers = {"Content-Type": kind, "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
    line.request("POST", visitor.url("target"), before + TOO_LARGE, headers)
    answer = line.getresponse()

    assert (answer.status, answer.headers["Location"]) == (302, visitor.url("target"))
    line.close()
