"""The evidence page: the log read, filtered, paged, verified and taken away."""

from __future__ import annotations

import re

import orjson
import pytest

from incidents.evidence import chain, log
from incidents.models import Incident
from incidents.steps import declare
from incidents.terms import Phase
from incidents.views import evidence as views
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.board.given import write_notes
from tests.incidents.views.pages import at, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew)


def shown(response: object) -> list[int]:
    return [int(seq) for seq in re.findall(r'id="entry-(\d+)"', response.content.decode())]  # type: ignore[attr-defined]


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

    seen = text_of(at(incident, crew.commander).open("evidence", query_params={"verify": "1"}))

    assert f"Intact {incident.chain.seq} of {incident.chain.seq} entries checked" in seen


def test_a_broken_chain_names_the_first_bad_entry(crew: Crew, incident: Incident) -> None:
    incident.refresh_from_db()
    type(incident.chain).objects.filter(pk=incident.chain.pk).update(seq=incident.chain.seq + 1)

    seen = text_of(at(incident, crew.commander).open("evidence", query_params={"verify": "1"}))

    assert f"Broken Entry {incident.chain.seq + 1}" in seen
    assert f"The log ends at entry {incident.chain.seq}" in seen


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
    [{"before": "x"}, {"before": str(2**80)}, {"after": "-1"}, {"show": "\x00"}, {"show": "nothing"}, {"verify": "?"}],
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
