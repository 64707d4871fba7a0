from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from incidents.evidence import scanner
from incidents.models import Attachment
from incidents.steps import cleanup
from incidents.terms import CleanupState, Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.views.pages import at, refusals, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def rolling(crew: Crew, level: Level = Level.L3) -> Any:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=level)


def test_an_area_is_completed_in_one_form_by_its_owner(crew: Crew) -> None:
    incident = rolling(crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])

    response = owner.send(
        "cleanup_area",
        "credentials",
        items=["credentials-rotate", "credentials-scopes"],
        note="All three accounts",
        **{
            "rotation-log-file": SimpleUploadedFile("rotation.log", b"rotated"),
            "scope-summary-text": "Every role reads its tenant only",
            "scope-summary-link": "https://wiki.example.org/scopes",
        },
    )

    assert response.status_code == 302
    incident.refresh_from_db()
    area = incident.book.area("credentials")
    assert cleanup.missing(incident, area) == []
    page = text_of(owner.open("cleanup_area", "credentials"))
    for words in ("Complete", "rotation.log", "Every role reads its tenant only", "All three accounts"):
        assert words in page
    assert "1 of 3 cleanup areas are complete" in text_of(owner.open("cleanup"))


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_scanner(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at before the act's transaction: a silent scanner holds up who brought them, and no one else."""
    owner, scan, asked = at(rolling(crew), crew[Role.SECURITY_LEAD]), scanner.scan, []

    def noting(*told: Any) -> Any:
        asked.append(connection.in_atomic_block)
        return scan(*told)

    monkeypatch.setattr(scanner, "scan", noting)
    files = {f"{key}-file": SimpleUploadedFile(f"{key}.log", b"done") for key in ("rotation-log", "scope-summary")}
    response = owner.send("cleanup_area", "credentials", items=["credentials-rotate"], **files)

    assert (response.status_code, Attachment.objects.count()) == (302, 2)
    assert asked == [False, False]


def test_evidence_can_come_before_the_ticks_and_in_parts(crew: Crew) -> None:
    incident = rolling(crew)
    owner = at(incident, crew[Role.DATA_EVIDENCE_LEAD])

    owner.send("cleanup_area", "data", **{"repair-notes-text": "Rebuilt runs_view"})
    owner.send("cleanup_area", "data", items=["data-rebuild"])

    assert incident.exhibits.get().subject == "cleanup:repair-notes"
    assert incident.cleanup_items.get(key="data-rebuild").state == CleanupState.DONE
    assert incident.cleanup_items.get(key="data-revert").state == CleanupState.OPEN


def test_an_empty_form_is_not_recorded(crew: Crew) -> None:
    incident = rolling(crew)
    before = incident.chain.entries.count()

    response = at(incident, crew[Role.SECURITY_LEAD]).send("cleanup_area", "credentials", note="Hm")

    assert refusals(response) == ["Tick at least one item, or bring a file, a link or a text."]
    assert incident.chain.entries.count() == before


def test_nobody_but_the_owner_ticks(crew: Crew) -> None:
    incident = rolling(crew)
    visitor = at(incident, crew.commander)

    assert "For the Security Lead." in text_of(visitor.open("cleanup_area", "credentials"))
    response = visitor.send("cleanup_area", "credentials", items=["credentials-rotate"])

    assert refusals(response) == ["Tick a cleanup item is for the Security Lead of this incident."]
    assert incident.cleanup_items.get(key="credentials-rotate").state == CleanupState.OPEN


def test_a_refused_tick_takes_its_evidence_back(crew: Crew) -> None:
    incident = rolling(crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])
    owner.send("cleanup_area", "credentials", items=["credentials-rotate"])
    before = incident.chain.entries.count()

    response = owner.send(
        "cleanup_area",
        "credentials",
        items=["credentials-rotate"],
        **{"rotation-log-file": SimpleUploadedFile("again.log", b"again"), "scope-summary-text": "Kept"},
    )

    assert refusals(response) == ["“Revoke and rotate impacted credentials” is already done."]
    assert "Kept" in response.content.decode()
    assert (incident.exhibits.count(), Attachment.objects.count()) == (0, 0)
    assert incident.chain.entries.count() == before


def test_a_file_that_is_too_large_is_refused_with_its_limit(crew: Crew, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    incident = rolling(crew)

    response = at(incident, crew[Role.SECURITY_LEAD]).send(
        "cleanup_area",
        "credentials",
        items=["credentials-rotate"],
        **{"rotation-log-file": SimpleUploadedFile("big.bin", b"x" * (1024 * 1024 + 1))},
    )

    assert refusals(response) == ["A file may hold at most 1 MB: link to larger ones."]
    assert incident.cleanup_items.get(key="credentials-rotate").state == CleanupState.OPEN
    assert Attachment.objects.count() == 0


@pytest.mark.parametrize("link", ["javascript:alert(1)", "ftp://example.org/x", "not a link", "https://"])
def test_a_link_is_a_web_address(crew: Crew, link: str) -> None:
    incident = rolling(crew)

    response = at(incident, crew[Role.SECURITY_LEAD]).send("cleanup_area", "credentials", **{"rotation-log-link": link})

    assert len(refusals(response)) == 1
    assert incident.exhibits.count() == 0


def test_markup_in_evidence_is_shown_as_it_was_written(crew: Crew) -> None:
    incident = rolling(crew)
    owner = at(incident, crew[Role.SECURITY_LEAD])

    owner.send("cleanup_area", "credentials", **{"rotation-log-text": "<script>alert(1)</script>"})

    assert b"<script>alert" not in owner.open("cleanup_area", "credentials").content


def test_at_the_third_level_a_waiver_waits_for_a_second_person(crew: Crew) -> None:
    incident = rolling(crew)
    at(incident, crew[Role.SECURITY_LEAD]).send(
        "waive_cleanup", "credentials", item="credentials-scopes", reason="Nothing was granted"
    )
    item = incident.cleanup_items.get(key="credentials-scopes")
    assert item.state == CleanupState.OPEN

    at(incident, crew.commander).send("proposal_confirm", incident.proposals.get().pk)

    item.refresh_from_db()
    assert (item.state, item.second) == (CleanupState.WAIVED, crew.commander)


def test_below_it_the_owner_waives_alone(crew: Crew) -> None:
    incident = rolling(crew, Level.L1)

    at(incident, crew[Role.SECURITY_LEAD]).send(
        "waive_cleanup", "credentials", item="credentials-scopes", reason="Code only"
    )

    assert incident.cleanup_items.get(key="credentials-scopes").state == CleanupState.WAIVED


def test_a_waiver_of_what_is_done_already_says_so(crew: Crew) -> None:
    incident = rolling(crew, Level.L1)
    owner = at(incident, crew[Role.SECURITY_LEAD])
    owner.send("cleanup_area", "credentials", items=["credentials-rotate", "credentials-scopes"])

    response = owner.send("waive_cleanup", "credentials", item="credentials-rotate", reason="Late")

    assert refusals(response) == ["“Revoke and rotate impacted credentials” is already done."]


def test_items_and_areas_that_are_not_there_are_not_found(crew: Crew) -> None:
    visitor = at(rolling(crew), crew[Role.SECURITY_LEAD])

    assert visitor.open("cleanup_area", "kitchen").status_code == 404
    assert visitor.send("waive_cleanup", "credentials", item="data-revert", reason="x").status_code == 404


def test_an_item_of_any_name_is_not_found_and_breaks_nothing(crew: Crew) -> None:
    owner = at(rolling(crew), crew[Role.SECURITY_LEAD])

    for item in ("%b", "100%", "%(x)s", "a\u202eb"):
        assert owner.send("waive_cleanup", "credentials", item=item, reason="Not ours").status_code == 404, item
        assert owner.send("waive_cleanup", "credentials", item=item).status_code == 200, item
