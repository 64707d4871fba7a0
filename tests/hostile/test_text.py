"""Text of people is text wherever it is shown: page, mail, report, deliverable, export, file name, back office."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
import tinyhtml5
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.test import Client
from django.urls import NoReverseMatch, reverse
from markdown_it import MarkdownIt

from comms import mail, notices
from comms.drafts import Words
from comms.facts import facts_of
from comms.models import Recipient
from comms.reports import document
from incidents import exports
from incidents.evidence import bundle, keys, triggers
from incidents.evidence.attachments import clean_name
from incidents.models import EvidenceEntry, Incident
from incidents.runbook.content import LISTS, PLACEHOLDERS
from incidents.runbook.template import MAX_RENDERED, UnknownPlaceholder, check_template, render
from incidents.steps import cleanup, deliver
from incidents.terms import NoticeKind, Phase, Role
from tests.comms.world import issue, told_crew
from tests.factories import make_incident
from tests.hostile.corpora import FORMULAS, HEADERS, NAMES, SCRIPTS, TEMPLATES
from tests.incidents.api.calling import static_folder
from tests.matrix.table import PAGES
from tests.matrix.test_pages import ROUTES
from tests.matrix.world import World, build

__all__ = ["static_folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

# Columns that hold no words of people: names that the portal gives, hashes, addresses of rows.
NO_WORDS = {
    *("canonical", "password", "digest", "sha256", "hash", "prev", "secret", "message_id", "spec_digest", "prefix"),
    *(
        "email",
        "address",
        "config",
        "note_signed",
        "checkpoint",
        "source",
        "boundary",
        "file",
        "body_sha256",
        "salt",
        "scopes",
        "epoch",
    ),
}
ROUNDS = 2
READ = [name for name, row in PAGES.items() if row.read is not None and ":" in name]


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT, settings.KEY_DIR = tmp_path / "media", tmp_path / "keys"


def test_the_corpora_are_as_large_as_they_should_be() -> None:
    sizes = [len(set(corpus)) for corpus in (SCRIPTS, TEMPLATES, HEADERS, FORMULAS, NAMES)]

    assert [size >= least for size, least in zip(sizes, (100, 60, 40, 30, 60), strict=True)] == [True] * 5, sizes


# Scripts -------------------------------------------------------------------------------------------------------------


@pytest.mark.one_engine
def test_no_page_mail_report_or_deliverable_holds_a_script() -> None:
    world = build()
    client = Client()
    client.force_login(world.people[Role.COMMANDER])
    staff = Client()
    staff.force_login(world.people["superuser"])
    triggers.drop(connection)
    seen = 0

    for number in range(ROUNDS):
        poison(number)
        for name, html in drawn(world, client, staff):
            assert_harmless(html, f"{name}, round {number}")
            seen += 1

    assert seen > 80 * ROUNDS
    print(f"{len(SCRIPTS)} scripts, {seen} renderings")  # noqa: T201 - the figure is asked for


def poison(number: int) -> None:
    """Every column that holds words of people holds scripts now, other ones in each round; so does the log."""
    for place, (model, column) in enumerate(columns()):
        most = column.max_length or 20_000
        start = (number * 7 + place * 3) % len(SCRIPTS)
        words = " ".join([*SCRIPTS[start:], *SCRIPTS[:start]]).replace("\x00", "")[:most]
        model._base_manager.update(**{column.name: words})
    words = " ".join(SCRIPTS)
    for entry in EvidenceEntry.objects.all():
        told = json.loads(entry.canonical)
        told["body"]["sentence"] = words
        EvidenceEntry.objects.filter(pk=entry.pk).update(canonical=json.dumps(told, ensure_ascii=False))


def columns() -> Iterator[tuple[Any, Any]]:
    for model in admin.site._registry:
        for column in model._meta.concrete_fields:
            is_text = isinstance(column, models.CharField | models.TextField) and not isinstance(
                column, models.SlugField
            )
            if not is_text or column.generated or column.choices or column.unique or column.name in NO_WORDS:
                continue
            if (column.max_length or 1_000) >= 80 and not isinstance(column, models.EmailField):
                yield model, column


def drawn(world: World, client: Client, staff: Client) -> Iterator[tuple[str, str]]:
    place = world.here
    incident = Incident.objects.get(pk=place.incident.pk)
    for name in READ:
        answer = client.get(place.address(name, ROUTES[name]))
        assert answer.status_code < 500, (name, answer.status_code)
        if "html" in answer.headers.get("Content-Type", "") and not answer.streaming:
            yield name, answer.content.decode()
    yield "a refused form", refused(client, place)
    for address in office():
        answer = staff.get(address)
        assert answer.status_code in (200, 302, 403), (address, answer.status_code)
        yield address, answer.content.decode()
    yield "report", document.html_of(facts_of(incident))
    yield "review", MarkdownIt("commonmark", {"html": True}).enable("table").render(exports.review(incident))
    for script in SCRIPTS[::9]:
        words = Words(script[:200], f"{script}\n\nName: {script}\n\nRisks:\n- {script}\n", None)
        yield "mail", mail.written(incident, NoticeKind.A, words, incident.chain).html


def refused(client: Client, place: Any) -> str:
    sent = {"text": " ".join(SCRIPTS)[:5_000] * 5, "happened_at": SCRIPTS[0]}
    return client.post(place.address("incidents:notes", ROUTES["incidents:notes"]), sent).content.decode()


def office() -> Iterator[str]:
    for model in admin.site._registry:
        row = model._default_manager.first()
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        for verb in ("change", "history", "delete") if row else ():
            try:
                yield reverse(f"{name}_{verb}", args=[row.pk])
            except NoReverseMatch:
                continue


FORBIDDEN = {"iframe", "object", "embed", "base", "applet", "portal", "frame", "marquee", "math", "foreignobject"}
LEADING = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "srcdoc",
    "{http://www.w3.org/1999/xlink}href",
}


def assert_harmless(html: str, where: str) -> None:
    """Read it as a browser would, and find nothing that runs, loads or leads elsewhere."""
    for element in tinyhtml5.parse(html, namespace_html_elements=False).iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.rpartition("}")[2].lower()
        shown = f"{where}: <{tag} {element.attrib}> {(element.text or '')[:80]}"
        assert tag not in FORBIDDEN or (tag == "iframe" and element.get("src", "").startswith("/")), shown
        if tag == "script":
            assert not (element.text or "").strip() or element.get("type") == "application/json", shown
            assert not element.get("src") or element.get("src", "").startswith(("/static/", "/admin/jsi18n/")), shown
        if tag == "meta":
            assert element.get("http-equiv", "").lower() != "refresh" or "javascript" not in element.get(
                "content", ""
            ), shown
        if tag == "link":
            assert "evil.example" not in element.get("href", ""), shown
        for name, value in element.attrib.items():
            assert not str(name).lower().startswith(("on", "hx-on")), shown
            if str(name).lower() in LEADING:
                scheme = re.sub(r"[\x00-\x20]", "", str(value)).lower()
                assert not scheme.startswith(("javascript:", "vbscript:", "data:text", "//evil")), shown


# Templates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", TEMPLATES)
def test_a_notice_template_is_refused_or_means_what_it_says(payload: str) -> None:
    values = {name: f"<{name}>" for name in PLACEHOLDERS}
    try:
        check_template(payload, names=PLACEHOLDERS, lists=LISTS)
    except UnknownPlaceholder:
        return
    shown = render(payload, values=values, lists={name: ["one"] for name in LISTS})

    assert shown == payload or not re.search(r"49|SECRET|object at|<class|aaaa", shown)
    assert len(shown) <= MAX_RENDERED


@pytest.mark.parametrize("payload", TEMPLATES)
def test_a_value_is_never_read_as_a_template(payload: str) -> None:
    shown = render("{{ product }}", values={"product": payload}, lists={})

    assert shown == payload


def test_a_template_grows_to_no_more_than_64_kb() -> None:
    name = min(PLACEHOLDERS)
    shown = render(f"{{{{ {name} }}}}" * 10_000, values={name: "x" * 20_000}, lists={})

    assert len(shown) <= MAX_RENDERED


# Mail headers --------------------------------------------------------------------------------------------------------


def test_no_header_and_no_reader_is_added_by_what_somebody_typed() -> None:
    crew = told_crew("ops@example.test")
    incident = make_incident(crew)
    plain = len(message_from_bytes(copy_of(issue(incident, crew, NoticeKind.A)), policy=default).keys())

    for number, payload in enumerate(HEADERS):
        Recipient.objects.update(name=payload.replace("\x00", "").encode("utf-8", "ignore").decode()[:100])
        raw = copy_of(issue(incident, crew, NoticeKind.B, subject=payload[:150], body=f"{number} {payload}\n.\nFrom x"))
        message = message_from_bytes(raw, policy=default)
        assert len(message.keys()) - ("References" in message) - ("In-Reply-To" in message) == plain, payload
        assert [one.addr_spec for one in message["To"].addresses] == ["ops@example.test"], payload
        assert raw.isascii(), payload
        assert not message.defects, payload


def copy_of(notice: Any) -> bytes:
    return bytes(notice.deliveries.get().content)


# Exports -------------------------------------------------------------------------------------------------------------


def test_no_cell_of_an_export_begins_a_formula() -> None:
    crew = told_crew()
    incident = make_incident(crew, at=Phase.REVIEW)
    for number, payload in enumerate(FORMULAS):
        text = dict.fromkeys(("title", "owner", "acceptance"), payload.replace("\x00", "") + str(number))
        deliver.add_follow_up(incident, priority="P1", due_on=incident.declared_at.date(), by=crew.commander, **text)

    written = exports.follow_ups_csv(incident)
    rows = list(csv.reader(io.StringIO(written, newline="")))

    assert len(rows) == len(FORMULAS) + 1
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"[\s\u200b\ufeff\u202e\x00]*[=+\-@＝＋－＠﹢﹣﹦﹫−]", cell), cell
        assert cell[:1] not in "\t\r\n" or not cell, cell


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_stays_a_name(name: str) -> None:
    kept = clean_name(name)

    assert kept
    assert not set(kept) & set("/\\\x00\r\n\u202e\u2028\u2066")
    assert kept not in (".", "..")
    assert not kept.startswith(".")
    assert len(kept) <= 200
    assert kept.encode()


def test_names_lead_nowhere_in_bundle_downloads_and_storage() -> None:
    crew = told_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    client = Client()
    client.force_login(crew.commander)
    from incidents.evidence import attachments

    for number, name in enumerate(NAMES):
        file = SimpleUploadedFile("x", b"%d" % number)
        file._name = name
        kept = attachments.store(incident, file, lead)
        cleanup.attach(
            incident, cleanup.subject("repair-notes"), owner=Role.DATA_EVIDENCE_LEAD, by=lead, attachment=kept
        )
        answer = client.get(f"/incidents/{incident.reference}/files/{kept.sha256}/")
        disposition = answer["Content-Disposition"]
        assert disposition.startswith("attachment"), name
        assert not re.search(r"[\r\n\x00]", disposition), name

    assert keys.verifiers() is not None
    with bundle.build(incident, bundle.Wanted(private=True, names=True)).file as made, zipfile.ZipFile(made) as archive:
        inside = archive.namelist()
    assert len(inside) == len(set(inside))
    assert [name for name in inside if name.startswith("/") or ".." in name.split("/") or "\\" in name] == []
    for export in (exports.review_name(incident), notices.kinds_of(incident)[0]):
        assert "/" not in export


# In a browser --------------------------------------------------------------------------------------------------------

SAMPLE = ["war_room", "rollback", "cleanup", "verify", "evidence", "deliver", "roles", "freeze", "target", "foreign"]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_browser_runs_nothing_of_it_and_meets_no_violation(open_page: Any) -> None:
    world = build()
    triggers.drop(connection)
    poison(0)
    page, dialogs = open_page(world.people[Role.COMMANDER]), []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    pages = [f"incidents:{name}" for name in SAMPLE] + [
        "comms:notices",
        "comms:notice",
        "comms:report",
        "incidents:list",
    ]

    for name in pages:
        page.goto(world.here.address(name, ROUTES[name]))
        assert page.locator("h1").count(), name

    assert (dialogs, page.evaluate("document.querySelectorAll('[onerror],[onload],[onfocus]').length")) == ([], 0)
