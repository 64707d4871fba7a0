"""The runbook is edited as its next version; what was declared before keeps its own."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.admin.runbook import EditForm
from incidents.models import RunbookVersion
from incidents.runbook import versions
from incidents.steps import declare
from incidents.terms import Phase
from tests.factories import make_crew, make_incident
from tests.incidents.admin.given import address, clerk, configured

pytestmark = pytest.mark.django_db

OLD, NEW = "Restore last known good state.", "Restore the last known good state, and prove it."


def edited(**changes: Any) -> dict[str, Any]:
    current = versions.current()
    return {"source": current.source.replace(OLD, NEW), "note": "Say it in full", "current": current.number, **changes}


def test_an_edit_makes_the_next_version_and_old_incidents_keep_theirs() -> None:
    crew = make_crew()
    before = make_incident(crew, at=Phase.STOOD_DOWN)
    user, client = clerk()
    first = versions.current()

    answer = client.post(address(first, "edit"), edited(), follow=True)

    second = versions.current()
    after = declare.rollback_mode(
        product=crew.product, trigger="regression", summary="Again", scope_level=before.level, by=crew.commander
    )
    before.refresh_from_db()
    assert "Runbook version 2 is published." in answer.content.decode()
    assert (second.number, second.created_by, second.note) == (2, user, "Say it in full")
    assert (before.runbook, before.runbook_sha256, OLD in before.book.objectives) == (first, first.sha256, True)
    assert (after.runbook, after.runbook_sha256, NEW in after.book.objectives) == (second, second.sha256, True)
    assert RunbookVersion.objects.get(number=1).source == first.source


def test_an_edit_leaves_one_entry_and_the_page_shows_what_changed() -> None:
    user, client = clerk()
    first = versions.current()

    client.post(address(first, "edit"), edited())

    (entry,) = configured()
    second = versions.current()
    assert entry.actor == {"kind": "user", "id": str(user.public_id)}
    assert entry.body == {
        "sentence": "Runbook version 2 published",
        "object": "runbook",
        "id": "2",
        "old": first.sha256,
        "new": second.sha256,
        "note": "Say it in full",
    }
    page = client.get(address(second, "change")).content.decode()
    assert f"-    &quot;{OLD}&quot;" in page
    assert f"+    &quot;{NEW}&quot;" in page


def test_the_form_starts_with_the_current_text_and_its_line_ends_do_not_count() -> None:
    _, client = clerk()
    first = versions.current()

    form = client.get(address(first, "edit")).context["form"]
    page = client.post(address(first, "edit"), edited(source=first.source.replace("\n", "\r\n"))).content.decode()

    assert isinstance(form, EditForm)
    assert form["source"].value() == first.source
    assert "This is the text of version 1: nothing changed." in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": "title = "}, "The text is not valid TOML"),
        ({"source": "title = 'x'"}, "is missing."),
        ({"source": ""}, "This field is required."),
        ({"source": "x" * 200_001}, "at most 200000 characters"),
        ({"source": "a = " + "[" * 50_000}, "The text is nested too deep."),
        ({"note": ""}, "This field is required."),
    ],
)
def test_a_text_that_is_no_runbook_is_refused_on_the_form(changes: dict[str, str], sentence: str) -> None:
    _, client = clerk()
    first = versions.current()

    page = client.post(address(first, "edit"), edited(**changes))

    assert sentence in page.content.decode()
    assert RunbookVersion.objects.count() == 1
    assert configured() == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('key = "3a-redeploy"', f'key = "{"k" * 41}"', "is not of up to 40 letters"),
        ('name = "Service health"', f'name = "{"n" * 201}"', "longer than 200 characters"),
        ('name = "Service health"', "name = 5", "is not text"),
        ('name = "Service health"', 'name = "a\\u0000b"', "has control characters"),
        ("stage = 2", "stage = -1", "is no number from 1 to 1000"),
        ("destructive = true", 'destructive = "no"', "is neither true nor false"),
    ],
)
def test_a_text_that_no_incident_could_hold_is_refused(old: str, new: str, sentence: str) -> None:
    _, client = clerk()
    first = versions.current()
    assert old in first.source

    page = client.post(address(first, "edit"), edited(source=first.source.replace(old, new, 1)))

    assert sentence in page.content.decode()
    assert RunbookVersion.objects.count() == 1


def test_an_edit_begun_before_another_was_published_is_refused() -> None:
    _, client = clerk()
    first = versions.current()
    mine = edited(source=first.source.replace(OLD, "Mine."))
    client.post(address(first, "edit"), edited())

    page = client.post(address(first, "edit"), mine)

    assert "Version 2 was published while you edited. Take its changes over first." in page.content.decode()
    assert versions.current().number == 2
