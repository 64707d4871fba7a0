from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from incidents.models import Attachment, Incident
from incidents.terms import Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import Visitor, at

pytestmark = pytest.mark.django_db
PAGE = b"<script>alert(1)</script>"


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def stored(crew: Crew, settings: Any, tmp_path: Path) -> Attachment:
    """A page of HTML that the Security Lead brought as evidence."""
    settings.MEDIA_ROOT = tmp_path
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    file = SimpleUploadedFile("größe.html", PAGE, content_type="text/html")
    at(incident, crew[Role.SECURITY_LEAD]).send("cleanup_area", "credentials", **{"rotation-log-file": file})
    return Attachment.objects.get()


def body_of(response: HttpResponse) -> bytes:
    return b"".join(response.streaming_content)


def test_a_file_is_handed_out_as_it_was_and_never_shown_by_the_browser(crew: Crew, stored: Attachment) -> None:
    response = at(stored.incident, crew.commander).open("attachment", stored.sha256)

    assert body_of(response) == PAGE
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.html"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "private, no-store"


def test_the_area_links_to_it_with_its_hash(crew: Crew, stored: Attachment) -> None:
    visitor = at(stored.incident, crew.commander)

    assert visitor.url("attachment", stored.sha256).encode() in visitor.open("cleanup_area", "credentials").content


def test_outsiders_do_not_find_it(crew: Crew, stored: Attachment) -> None:
    assert at(stored.incident, crew.outsider).open("attachment", stored.sha256).status_code == 404


def test_a_file_of_another_incident_is_not_found(crew: Crew, stored: Attachment) -> None:
    other = make_crew()

    assert at(make_incident(other), other.commander).open("attachment", stored.sha256).status_code == 404


@pytest.mark.parametrize("name", ["0" * 64, "x" * 64, "a", "..%2F..%2Fetc%2Fpasswd", "%00" * 64, "A" * 5000])
def test_what_is_no_hash_of_a_file_here_is_not_found(crew: Crew, stored: Attachment, name: str) -> None:
    visitor = at(stored.incident, crew.commander)
    address = visitor.url("attachment", "0" * 64).replace("0" * 64, name)

    assert visitor.client.get(address).status_code == 404


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_file_that_is_not_what_was_uploaded_is_not_handed_out(
    crew: Crew, stored: Attachment, tmp_path: Path, change: str
) -> None:
    [path] = [path for path in tmp_path.rglob("*") if path.is_file()]
    path.write_bytes(b"something else") if change == "changed" else path.unlink()

    response = visitor_of(crew, stored.incident).open("attachment", stored.sha256)

    assert response.status_code == 410
    assert "This file is not handed out." in response.content.decode()


def visitor_of(crew: Crew, incident: Incident) -> Visitor:
    return at(incident, crew.commander)
