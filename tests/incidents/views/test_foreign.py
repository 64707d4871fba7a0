"""The pages about foreign logs: look, keep, mark; each answer a sentence, whoever sends whatever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from incidents.models import Attachment, Incident
from incidents.steps import foreign
from incidents.terms import Level, Phase, Role
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.connectors.servers import Answer, Receiver
from tests.incidents.evidence.foreign.writing import content, sealed, v1
from tests.incidents.views.pages import Visitor, at, refusals, text_of, told

pytestmark = pytest.mark.django_db
OUTPUT = "cleanup:chain-output"


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def crew() -> Crew:
    return make_crew()


@pytest.fixture
def incident(crew: Crew) -> Incident:
    return make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)


@pytest.fixture
def lead(incident: Incident, crew: Crew) -> Visitor:
    return at(incident, crew[Role.DATA_EVIDENCE_LEAD])


def file_of(entries: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile("run.json", json.dumps({"items": entries}).encode())


def send(visitor: Visitor, entries: Any = None, **fields: Any) -> HttpResponse:
    given = {"mode": "whole", "subject": OUTPUT, "do": "keep"} | ({"file": file_of(entries)} if entries else {})
    return visitor.send("foreign", **given | fields)


def state_of(incident: Incident) -> tuple[int, int, int]:
    return incident.chain.entries.count(), incident.exhibits.count(), Attachment.objects.count()


def test_a_log_is_verified_and_kept_in_one_go(incident: Incident, lead: Visitor) -> None:
    response = send(lead, v1(5))

    entry = foreign.kept(incident)[0]
    assert (response.status_code, response.url) == (302, lead.url("foreign_log", entry.seq) + "#main")
    page = text_of(lead.client.get(response.url))
    for words in ("Intact", "This log is whole and unchanged.", "5 entries", "ws-acme", "run.json", "evi-0004"):
        assert words in page
    assert v1(5)[-1]["hashSha256"] in page
    assert "run.json" in text_of(lead.open("cleanup_area", "evidence"))


def test_looking_shows_the_verdict_and_keeps_nothing(incident: Incident, lead: Visitor) -> None:
    before = state_of(incident)
    entries = v1(6)
    entries[2] |= {"summary": "Other"}
    entries.append(sealed(content(5) | {"evidenceId": "evi-rival"}, entries[4]["hashSha256"]))

    response = send(lead, entries, do="look", mode="segment", anchor="ab" * 32)

    page = text_of(response)
    for words in (
        "This log was changed after it was written.",
        "The content of “evi-0002” was changed: the next entry names the hash it had.",
        "“evi-0005” and “evi-rival” follow the same entry in one millisecond.",
        "Known hash not found",
        "checked as a part of a log",
        "Nothing was kept.",
    ):
        assert words in page
    assert state_of(incident) == before
    assert f'value="{"ab" * 32}"' in response.content.decode()


def test_an_id_full_of_markup_stays_text(lead: Visitor) -> None:
    entries = v1(2)
    entries[1] |= {"evidenceId": "<script>alert(1)</script>", "workspaceId": "<b>"}

    response = send(lead, entries, do="look")

    assert b"<script>alert" not in response.content
    assert "“<script>alert(1)</script>”" in text_of(response).replace("&lt;", "<")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Bring the log as a file, or name the address to fetch it from: one of the two."),
        ({"file": file_of(v1(1)), "address": "https://a.example/"}, "one of the two."),
        ({"file": SimpleUploadedFile("a.txt", b"")}, "The submitted file is empty."),
        ({"file": SimpleUploadedFile("a.txt", b"hello")}, "The file is no JSON from its beginning."),
        ({"file": SimpleUploadedFile("a.txt", b"\xff\xfe")}, "The file is not text in UTF-8."),
        ({"file": file_of([{"a": 1}])}, "No dialect is known for this log"),
        ({"file": file_of(v1(1)), "mode": "half"}, "Select a valid choice."),
        ({"file": file_of(v1(1)), "subject": "gate:ci"}, "Select a valid choice."),
        ({"file": file_of(v1(1)), "anchor": "abc"}, "Give 64 hex digits, as the log writes them."),
        ({"file": file_of(v1(1)), "anchor": "a\x00b"}, "Null characters are not allowed."),
        ({"address": "https://a.example/evidence"}, "a.example:443 is not in LASTGOOD_OUTBOUND_HOSTS"),
        ({"address": "file:///etc/passwd"}, "The URL must start with https://."),
        ({"address": "x" * 3000}, "at most 2000 characters"),
    ],
)
def test_what_is_no_log_is_a_sentence(incident: Incident, lead: Visitor, fields: dict[str, Any], sentence: str) -> None:
    before = state_of(incident)
    if "file" in fields:
        fields["file"].seek(0)

    response = send(lead, **fields)

    assert response.status_code == 200
    assert sentence in " ".join(refusals(response))
    assert state_of(incident) == before


def test_the_page_is_for_everyone_and_its_acts_for_two(incident: Incident, crew: Crew) -> None:
    before = state_of(incident)

    for role in set(Role) - {Role.COMMANDER, Role.DATA_EVIDENCE_LEAD}:
        other = at(incident, crew[role])
        assert "For the Incident Commander or Data and Evidence Lead." in text_of(other.open("foreign"))
        for do in ("keep", "look"):
            assert " is for the Incident Commander" in refusals(send(other, v1(2), do=do))[0]
        assert " is for the Incident Commander" in refusals(mark(other))[0]
    assert state_of(incident) == before
    outsider = at(incident, crew.outsider)
    assert {outsider.open(page).status_code for page in ("foreign", "mark_foreign")} == {404}


def test_a_closed_incident_says_so(crew: Crew) -> None:
    closed = make_incident(crew, at=Phase.CLOSED)
    visitor = at(closed, crew.commander)

    assert "it is closed." in refusals(send(visitor, v1(2)))[0]
    assert visitor.open("foreign").status_code == visitor.open("mark_foreign").status_code == 200


def test_a_file_that_is_too_large_is_refused(lead: Visitor, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1024**2

    response = send(lead, [row | {"note": "x" * 8000} for row in v1(200)])

    assert refusals(response) == ["The file is larger than 1 MB: check it in parts."]


def test_the_same_log_sent_twice_is_kept_once(incident: Incident, lead: Visitor) -> None:
    send(lead, v1(2))

    assert refusals(send(lead, v1(2))) == ["This is on record already: you have just sent it."]
    assert incident.attachments.count() == 1


# Fetching -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def serving(settings: Any) -> Iterator[Callable[[Answer], str]]:
    """The address of a log that a local server serves, allowed by the settings."""
    with ExitStack() as stack:

        def serve(answer: Answer) -> str:
            server = stack.enter_context(closing(Receiver(answer)))
            settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = [f"127.0.0.1:{server.port}"]
            return f"http://127.0.0.1:{server.port}/v1/workspaces/ws-acme/evidence?secret=1"

        yield serve


def test_a_log_is_fetched_and_kept_with_where_it_came_from(
    incident: Incident, lead: Visitor, serving: Callable[[Answer], str]
) -> None:
    address = serving(Answer(body=json.dumps({"items": v1(4)}).encode()))

    response = send(lead, address=address, token="s3cr3t")

    assert response.status_code == 302
    exhibit = incident.exhibits.get()
    assert exhibit.source == address.partition("?")[0]
    assert exhibit.collected_at is not None
    recorded = json.dumps(foreign.kept(incident)[0].body)
    assert [word for word in ("s3cr3t", "secret") if word in recorded] == []
    assert exhibit.source in text_of(lead.client.get(response.url))


def test_a_log_that_cannot_be_fetched_is_a_sentence_and_the_token_is_not_given_back(
    lead: Visitor, serving: Callable[[Answer], str]
) -> None:
    address = serving(Answer(status=401))

    response = send(lead, address=address, token="s3cr3t")

    assert refusals(response) == ["Status 401 came back where 200 was expected."]
    assert "s3cr3t" not in response.content.decode()


# Marking --------------------------------------------------------------------------------------------------------------


def mark(visitor: Visitor, **fields: Any) -> HttpResponse:
    given = {
        "runs": "run-1\n run-7 \n\nrun-1",
        "evidence": "evi-0002",
        "workspace": "ws-acme",
        "correlation": "corr-7",
        "dialect": "portarium-v1",
        "head": "ab" * 32,
        "subject": "cleanup:incident-links",
    }
    return visitor.send("mark_foreign", **given | fields)


def test_a_kept_log_fills_in_the_mark(incident: Incident, lead: Visitor) -> None:
    send(lead, v1(5))
    log = foreign.kept(incident)[0]

    page = lead.client.get(lead.url("mark_foreign") + f"?log={log.seq}").content.decode()

    for value in ("run-0", "run-1", "run-2", "ws-acme", log.body["head"], incident.reference):
        assert f'value="{value}"' in page
    assert '<option value="portarium-v1" selected>' in page


def test_a_mark_gives_the_entry_and_the_manifest_to_download(incident: Incident, lead: Visitor) -> None:
    send(lead, v1(5))
    log = foreign.kept(incident)[0]

    response = mark(lead, log=log.seq, found_runs=["run-2"], head=log.body["head"].upper())

    entry = foreign.marks(incident)[0]
    assert (response.status_code, response.url) == (302, lead.url("foreign_log", entry.seq) + "#main")
    page = lead.client.get(response.url)
    assert "3 runs and 1 entry affected" in text_of(page)
    for row in entry.body["files"]:
        download = lead.open("attachment", row["sha256"])
        assert (download.status_code, "attachment" in download["Content-Disposition"]) == (200, True)
        assert lead.url("attachment", row["sha256"]) in page.content.decode()
    assert entry.body["runs"] == ["run-1", "run-2", "run-7"]
    assert entry.body["previous_hash"] == log.body["head"]
    assert "3 runs and 1 entry affected" in text_of(lead.open("foreign"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"runs": "", "evidence": " \n"}, "Name at least one run or one entry that is affected."),
        ({"runs": "ada@example.org"}, "The run id “ada@example.org” holds an e-mail address"),
        ({"evidence": "a b"}, "The evidence id “a b” is no id"),
        ({"workspace": ""}, "This field is required."),
        ({"workspace": "ada@example.org"}, "The workspace id “ada@example.org” holds an e-mail address"),
        ({"head": "abc"}, "Give 64 hex digits"),
        ({"dialect": "latin"}, "Select a valid choice."),
        ({"subject": "action:3a-redeploy"}, "Select a valid choice."),
        ({"found_runs": ["run-1"]}, "Select a valid choice."),
        ({"runs": "\n".join(f"run-{n}" for n in range(1001)), "evidence": ""}, "at most 1,000 runs and entries"),
        ({"runs": "a\x00b"}, "Null characters are not allowed."),
        ({"runs": "x" * 21_000}, "at most 20000 characters"),
    ],
)
def test_what_cannot_be_marked_is_a_sentence(
    incident: Incident, lead: Visitor, fields: dict[str, Any], sentence: str
) -> None:
    before = state_of(incident)

    response = mark(lead, **fields)

    assert response.status_code == 200
    assert sentence in " ".join(refusals(response))
    assert state_of(incident) == before


def test_a_mark_of_a_log_with_two_ends_warns(incident: Incident, lead: Visitor) -> None:
    entries = v1(3)
    send(lead, [*entries, sealed(content(2) | {"evidenceId": "evi-rival"}, entries[1]["hashSha256"])])

    page = text_of(lead.client.get(lead.url("mark_foreign") + f"?log={foreign.kept(incident)[0].seq}"))

    assert "Fork." in page
    assert "It has 2 ends: ask which one its owner goes on from." in page


def test_the_files_of_a_mark_may_be_gone_and_its_page_still_opens(
    incident: Incident, lead: Visitor, tmp_path: Any
) -> None:
    mark(lead)
    for stored in (tmp_path / "evidence").rglob("*"):
        if stored.is_file():
            stored.unlink()

    assert lead.open("foreign_log", foreign.marks(incident)[0].seq).status_code == 200


@pytest.mark.parametrize("log", ["999999", "1", "x", "-1", "9" * 5000, "²"])
def test_a_log_that_was_not_kept_is_not_found_or_not_asked_for(lead: Visitor, log: str) -> None:
    status = lead.client.get(lead.url("mark_foreign"), {"log": log}).status_code

    assert status == (404 if log in ("999999", "1") else 200)
    if log.isascii() and log.isdecimal() and len(log) < 10:
        assert lead.open("foreign_log", int(log)).status_code == 404


def test_the_pages_of_another_incident_show_nothing_of_this_one(lead: Visitor, incident: Incident) -> None:
    send(lead, v1(2))
    other = make_crew()
    visitor = at(make_incident(other, at=Phase.ROLLING_BACK), other.commander)

    assert visitor.open("foreign_log", foreign.kept(incident)[0].seq).status_code == 404


# Where it is found ----------------------------------------------------------------------------------------------------


def test_it_is_linked_from_where_the_runbook_asks_for_it(lead: Visitor) -> None:
    link = f'href="{lead.url("foreign")}"'

    pages = {
        "cleanup": lead.open("cleanup_area", "evidence"),
        "chain": lead.open("action", "3d-chain"),
        "annotate": lead.open("action", "3d-annotate"),
        "other area": lead.open("cleanup_area", "data"),
        "other action": lead.open("action", "3a-redeploy"),
    }

    assert {name: page.content.decode().count(link) for name, page in pages.items()} == {
        "cleanup": 1,
        "chain": 1,
        "annotate": 1,
        "other area": 0,
        "other action": 0,
    }


def test_what_was_kept_is_told_on_the_next_page(lead: Visitor) -> None:
    assert told(send(lead, v1(2)))[0].startswith("Kept as evidence: entry ")
