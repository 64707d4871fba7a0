"""Personal values stand apart behind commitments, and can be erased while the chain stays whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction

from incidents.evidence import attachments, log
from incidents.evidence.chain import commitment
from incidents.models import Attachment, EvidenceEntry, Incident, PrivateValue
from incidents.steps import cleanup, correct, declare, deliver, four_eyes, privacy
from incidents.steps.base import Denied, Refused
from incidents.terms import Act, Kind, Phase, Priority, Role
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db

NAME = "Jane Q. Doe"


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def follow_up(incident: Incident, crew: Crew) -> Any:
    said = {"title": "Rotate the keys", "owner": NAME, "priority": Priority.P1, "acceptance": "No old key works"}
    return deliver.add_follow_up(incident, **said, due_on=date(2027, 1, 5), by=crew.commander)


def last_of(incident: Incident, kind: Kind) -> EvidenceEntry:
    return incident.chain.entries.filter(kind=kind).latest("seq")


def exported(incident: Incident) -> str:
    return b"".join(log.jsonl(incident.chain)).decode()


def erase(incident: Incident, crew: Crew, entry: int, path: str) -> None:
    privacy.erase(
        incident, entry, path, by=crew.commander, second=crew[Role.SECURITY_LEAD], reason="Asked for on 3 January"
    )


def test_the_log_holds_a_commitment_that_value_and_salt_open(crew: Crew) -> None:
    incident = make_incident(crew)

    follow_up(incident, crew)

    entry = last_of(incident, Kind.FOLLOW_UP_ADDED)
    [value] = privacy.values_of(incident)
    assert NAME not in exported(incident)
    assert (value.seq, value.path, value.value, len(value.salt)) == (entry.seq, "owner", NAME, 32)
    opened = commitment(str(incident.chain.pk), "owner", bytes(value.salt), NAME)
    assert f'"commits":[{{"commit":"{opened}","path":"owner"}}]' in entry.canonical
    assert log.verify(incident.chain).is_intact


def test_the_same_value_is_committed_to_differently_each_time(crew: Crew) -> None:
    incident = make_incident(crew)
    for _ in range(2):
        declare.add_note(incident, by=crew.commander, text=NAME, personal=True)
        declare.add_note(incident, by=crew.commander, text="In between")

    commits = {entry.canonical.partition('"commits":')[2][:90] for entry in log.entries_of(incident, Kind.NOTE_ADDED)}

    assert len(commits) == 3


def test_an_erased_value_is_gone_and_the_chain_verifies_as_before(crew: Crew) -> None:
    incident = make_incident(crew)
    row = follow_up(incident, crew)
    entry = last_of(incident, Kind.FOLLOW_UP_ADDED)
    before = exported(incident)

    erase(incident, crew, entry.seq, "owner")

    row.refresh_from_db()
    said = last_of(incident, Kind.ERASED)
    assert (row.owner, privacy.values_of(incident)) == (privacy.ERASED, [])
    assert (said.body["entry"], said.body["path"], said.body["reason"]) == (
        entry.seq,
        "owner",
        "Asked for on 3 January",
    )
    assert exported(incident).startswith(before)
    assert log.verify(incident.chain).is_intact


def test_a_value_goes_only_by_an_entry_that_says_so(crew: Crew) -> None:
    incident = make_incident(crew)
    follow_up(incident, crew)
    [value] = privacy.values_of(incident)

    with pytest.raises(DatabaseError), transaction.atomic():
        value.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        PrivateValue.objects.all().update(value="another")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM incidents_privatevalue")

    assert privacy.values_of(incident) == [value]


def test_erasing_one_value_leaves_the_others(crew: Crew) -> None:
    incident = make_incident(crew)
    follow_up(incident, crew)
    declare.add_note(incident, by=crew.commander, text="Sam was on call", personal=True)
    note = last_of(incident, Kind.NOTE_ADDED)

    erase(incident, crew, note.seq, "note")

    assert [value.path for value in privacy.values_of(incident)] == ["owner"]
    assert note.sentence == "Note with personal data, kept apart"


@pytest.mark.parametrize(("entry", "path"), [(1, "owner"), (99, "owner"), (None, "title")])
def test_what_is_no_personal_value_is_not_erased(crew: Crew, entry: int | None, path: str) -> None:
    incident = make_incident(crew)
    follow_up(incident, crew)
    entry = entry or last_of(incident, Kind.FOLLOW_UP_ADDED).seq

    with pytest.raises(Refused, match=f"Entry {entry} holds no personal value “{path}”"):
        erase(incident, crew, entry, path)


def test_a_second_person_confirms_years_later(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.CLOSED)
    value = next(value for value in privacy.values_of(incident) if value.path == "owner")
    said = {"entry": value.seq, "path": "owner"}
    with pytest.raises(Denied):
        four_eyes.propose(incident, Act.ERASE, by=crew[Role.API_LEAD], reason="Just so", **said)
    proposal = four_eyes.propose(incident, Act.ERASE, by=crew[Role.SECURITY_LEAD], reason="Asked for", **said)

    four_eyes.confirm(proposal, by=crew.commander)

    assert value.path not in [left.path for left in privacy.values_of(incident) if left.seq == value.seq]
    assert log.verify(incident.chain).is_intact


def test_a_corrected_owner_is_erased_old_and_new(crew: Crew) -> None:
    incident = make_incident(crew)
    row = follow_up(incident, crew)
    correct.record(incident, row, "owner", "John Roe", by=crew.commander, reason="Wrong person")
    entry = last_of(incident, Kind.CORRECTED)

    erase(incident, crew, entry.seq, "new")

    row.refresh_from_db()
    assert row.owner == privacy.ERASED
    assert "John Roe" not in exported(incident)
    assert {(value.seq, value.path) for value in privacy.values_of(incident)} == {
        (entry.seq, "old"),
        (last_of(incident, Kind.FOLLOW_UP_ADDED).seq, "owner"),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_shared", [False, True], ids=["alone", "shared"])
def test_an_erased_file_loses_name_and_bytes_unless_another_holds_them(
    crew: Crew, settings: Any, tmp_path: Path, is_shared: bool
) -> None:
    settings.MEDIA_ROOT = tmp_path
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    owner = Role.DATA_EVIDENCE_LEAD

    def bring(personal: bool, text: str) -> Attachment:
        file = attachments.store(incident, SimpleUploadedFile("jane-doe.txt", b"Her shift log"), crew[owner])
        cleanup.attach(
            incident, "cleanup:repair-notes", owner=owner, by=crew[owner], attachment=file, text=text, personal=personal
        )
        return file

    if is_shared:
        bring(personal=False, text="Once more")
    file = bring(personal=True, text="Jane was on call")
    entry = last_of(incident, Kind.EXHIBIT_ADDED)
    assert {value.path for value in privacy.values_of(incident)} == {"file", "text"}
    assert "Jane was on call" not in exported(incident)

    for path in ("file", "text"):
        erase(incident, crew, entry.seq, path)

    file.refresh_from_db()
    exhibit = incident.exhibits.get(pk=entry.body["exhibit"])
    assert (file.name, exhibit.text, file.erased_at is not None) == (privacy.ERASED, privacy.ERASED, True)
    assert default_storage.exists(attachments.path_of(file.sha256)) is is_shared
    assert log.verify(incident.chain).is_intact
