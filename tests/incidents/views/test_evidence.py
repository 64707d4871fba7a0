"""The evidence page: the log read, filtered, paged, verified and taken away."""

from __future__ import annotations

import re

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from incidents.evidence import chain, checkpoints, log, verify, witness
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Phase
from incidents.views import evidence as views
from tests.factories import Crew, cut, make_crew, make_incident
from tests.incidents.board.given import write_notes
from tests.incidents.views.pages import at, text_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


def shown(response: object) -> list[int]:
    return [int(seq) for seq in re.findall(r'id="entry-(\d+)"', response.content.decode())]  # type: ignore[attr-defined]


def verified(response: object) -> str:
    """The words of a streamed page."""
    page = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return text_in(page)


def test_each_entry_unfolds_to_what_was_recorded_and_its_hashes(crew: Crew, incident: Incident) -> None:
    incident.refresh_from_db()
    first = incident.chain.entries.get(seq=1)

    seen = at(incident, crew.commander).open("evidence").content.decode()

    assert f"<code>{first.hash}</code>" in seen
    assert f"<code>{first.prev}</code>" in seen
    assert "<dt>runbook sha256</dt>" in seen
    assert "Rollback mode declared" in seen


def test_everything_a_person_wrote_is_escaped(crew: Crew, incident: Incident) -> None:
    declare.add_note(incident, by=crew.commander, text="<script>alert(1)</script> \"'& `<b>`")

    seen = at(incident, crew.commander).open("evidence").content.decode()

    assert "<script>alert" not in seen
    assert "<code>&lt;b&gt;</code>" in seen


def test_a_group_is_shown_alone(crew: Crew, incident: Incident) -> None:
    declare.add_note(incident, by=crew.commander, text="Seen in the logs")
    incident.refresh_from_db()

    response = at(incident, crew.commander).open("evidence", query_params={"show": "notes"})

    assert shown(response) == [incident.chain.seq]


def test_pages_go_back_to_the_first_entry_and_forth_again(
    crew: Crew, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE", 4)
    write_notes(incident, crew.commander, until=10)
    visitor = at(incident, crew.commander)

    first = visitor.open("evidence")
    second = visitor.client.get(visitor.url("evidence") + first.context["older_url"])
    third = visitor.client.get(visitor.url("evidence") + second.context["older_url"])
    back = visitor.client.get(visitor.url("evidence") + third.context["newer_url"])

    assert [shown(page) for page in (first, second, third, back)] == [
        [10, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1],
        [6, 5, 4, 3],
    ]


def test_the_whole_chain_is_verified_on_request(crew: Crew, incident: Incident) -> None:
    incident.refresh_from_db()

    seen = verified(at(incident, crew.commander).send("verify_evidence"))

    assert f"Intact {incident.chain.seq} of {incident.chain.seq} entries checked" in seen


def test_a_broken_chain_names_the_first_bad_entry(crew: Crew, incident: Incident) -> None:
    incident.refresh_from_db()
    type(incident.chain).objects.filter(pk=incident.chain.pk).update(seq=incident.chain.seq + 1)

    seen = verified(at(incident, crew.commander).send("verify_evidence"))

    assert f"Broken Entry {incident.chain.seq + 1}" in seen
    assert f"The log ends at entry {incident.chain.seq}" in seen


def kept(incident: Incident) -> SimpleUploadedFile:
    """A checkpoint of the log as it is, as somebody kept it."""
    found = checkpoints.sign(incident.chain, "test")
    assert found
    return SimpleUploadedFile("checkpoint.txt", found.note.encode())


def test_an_old_checkpoint_says_what_was_added_since(crew: Crew, incident: Incident) -> None:
    file, size = kept(incident), incident.chain.entries.count()
    declare.add_note(incident, by=crew.commander, text="One more")

    seen = verified(at(incident, crew.commander).send("verify_evidence", checkpoints=[file]))

    assert f"Intact {size + 1} of {size + 1}" in seen
    assert f"Entries 1 to {size} are as they were signed; 1 was added since." in seen


def test_an_old_checkpoint_says_what_was_cut(crew: Crew, incident: Incident) -> None:
    file, size = kept(incident), incident.chain.entries.count()
    cut(incident, size - 1)

    seen = verified(at(incident, crew.commander).send("verify_evidence", checkpoints=[file]))

    assert "Truncated or rewritten" in seen
    assert f"Entry {size} was cut off: {size} entries were signed, {size - 1} are there." in seen


def test_a_row_that_no_entry_explains_is_named(crew: Crew) -> None:
    incident = make_incident(crew, at=Phase.TARGETED)
    whole = verified(at(incident, crew.commander).send("verify_evidence"))
    incident.targets.update(identifier="slipped in")

    seen = verified(at(incident, crew.commander).send("verify_evidence"))

    assert "Each row of this incident is what the log says" in whole
    assert "Incomplete" in seen
    assert "slipped in" in seen


def test_a_file_that_is_no_checkpoint_is_told_beside_the_verdict(crew: Crew, incident: Incident) -> None:
    other = SimpleUploadedFile("holiday.jpg", b"\xff\xd8 not a note")

    seen = verified(at(incident, crew.commander).send("verify_evidence", checkpoints=[other]))

    assert "A signature does not fit" in seen
    assert "This is no signed note" in seen


def test_a_key_that_is_none_comes_back_into_the_form(crew: Crew, incident: Incident) -> None:
    response = at(incident, crew.commander).send("verify_evidence", key="abc")

    assert response.status_code == 422
    assert "This is no verifier key: it has the form name+hash+key." in text_of(response)


def test_a_long_walk_says_how_far_it_is(crew: Crew, incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "STEP", 2)
    size = incident.chain.entries.count()

    response = at(incident, crew.commander).send("verify_evidence")
    told = [part.decode() for part in response.streaming_content if b'class="progress"' in part]

    assert [text_in(part) for part in told] == [f"{n} of {size} entries checked" for n in range(2, size + 1, 2)]


def test_the_last_checkpoint_is_shown_and_can_be_kept(crew: Crew, incident: Incident) -> None:
    browser = at(incident, crew.commander)
    before = browser.open("evidence"), browser.open("checkpoint_txt")
    found = checkpoints.sign(incident.chain, "test")
    assert found

    assert "Nothing is signed yet" in text_of(before[0])
    assert before[1].status_code == 404
    assert found.root[:16] in browser.open("evidence").content.decode()
    assert browser.open("checkpoint_txt").content.decode() == found.note


def test_an_alarm_is_on_the_page_and_on_every_other(crew: Crew, incident: Incident) -> None:
    witness.alarm(incident.chain.pk, "Entry 3 was changed after it was written.")

    assert "Evidence integrity uncertain. Entry 3 was changed" in text_of(at(incident, crew.commander).open("evidence"))
    assert "Entry 3 was changed" in text_of(at(incident, crew.commander).open("war_room"))


def test_the_download_is_the_log_as_it_was_hashed(crew: Crew, incident: Incident) -> None:
    incident.refresh_from_db()

    response = at(incident, crew.commander).open("evidence_jsonl")

    assert response["Content-Disposition"] == f'attachment; filename="{incident.reference}-evidence.jsonl"'
    lines = b"".join(response.streaming_content).splitlines()
    verdict = chain.verify(chain.read_jsonl(lines))
    assert (verdict.is_intact, verdict.count, verdict.head) == (True, incident.chain.seq, incident.chain.hash)
    assert orjson.loads(lines[0])["entry"]["kind"] == "incident.declared"
    assert log.verify(incident.chain).is_intact


@pytest.mark.parametrize(
    "asked",
    [{"before": "x"}, {"before": str(2**80)}, {"after": "-1"}, {"show": "\x00"}, {"show": "nothing"}],
)
def test_what_cannot_be_understood_is_left_out(crew: Crew, incident: Incident, asked: dict[str, str]) -> None:
    response = at(incident, crew.commander).open("evidence", query_params=asked)

    assert response.status_code == 200
    assert shown(response)


def test_nothing_of_a_kind_says_so(crew: Crew, incident: Incident) -> None:
    response = at(incident, crew.commander).open("evidence", query_params={"show": "deliverables"})

    assert "Nothing of this kind is on record." in text_of(response)


@pytest.mark.parametrize("page", ["evidence", "evidence_jsonl"])
def test_who_may_not_know_of_the_incident_reads_nothing(crew: Crew, incident: Incident, page: str) -> None:
    assert at(incident, crew.outsider).open(page).status_code == 404


def test_the_log_of_a_closed_incident_stays_readable(crew: Crew) -> None:
    response = at(make_incident(crew, at=Phase.CLOSED), crew.commander).open("evidence")

    assert "Incident closed" in text_of(response)
