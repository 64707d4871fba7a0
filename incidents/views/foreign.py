"""Step 3d: a foreign evidence log is checked and kept as evidence, and what the incident affected is marked for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import Http404, HttpResponse

from incidents import board, clock
from incidents.connectors.evidence_log import NotFetched
from incidents.dispatch import fetch_evidence_log
from incidents.evidence.attachments import NotStored
from incidents.evidence.foreign import DIALECTS, Code, Mode, Unreadable, Verdict
from incidents.forms.fields import data_of
from incidents.forms.foreign import CheckForm, MarkForm
from incidents.models import EvidenceEntry, Incident
from incidents.steps import foreign as steps
from incidents.steps.base import Denied, Refused
from incidents.terms import Act
from incidents.views.acts import Offer, back, offer
from incidents.views.base import incident_page, render_incident, showing_refusals

HEADING = "Check a foreign log"
KEEP = "keep"
# What stays in the form of somebody who only looked; a browser keeps no file.
_ASKED_AGAIN = ("address", "mode", "anchor", "subject")
_LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Brought:
    """A log as a person brought it, or as it was fetched for them."""

    file: UploadedFile
    source: str = ""
    collected_at: datetime | None = None


@dataclass(frozen=True)
class Group:
    """The findings of one kind, as the page lists them."""

    code: Code
    count: int
    findings: list[dict[str, Any]]

    @property
    def more(self) -> int:
        return self.count - len(self.findings)


@incident_page("evidence", Act.VERIFY_FOREIGN)
def foreign(request: Any, incident: Incident) -> HttpResponse:
    form = CheckForm(*data_of(request), incident=incident)
    offered = offer(request, incident, Act.VERIFY_FOREIGN)
    if form.is_valid():
        with showing_refusals(form):
            _refuse(offered)
            brought, verdict = _checked(form)
            if request.POST.get("do") != KEEP:
                again = CheckForm(incident=incident, initial={name: form.cleaned_data[name] for name in _ASKED_AGAIN})
                return _page(request, incident, again, offered, shown(verdict.facts()))
            entry = _kept(request, incident, form, brought, verdict)
            messages.success(request, f"Kept as evidence: entry {entry.seq} of the log.")
            return back("incidents:foreign_log", incident, entry.seq)
    return _page(request, incident, form, offered)


@incident_page("evidence")
def foreign_log(request: Any, incident: Incident, seq: int) -> HttpResponse:
    """What the check of a kept log found, or what was made to mark it, as it was recorded."""
    if marked := next((entry for entry in steps.marks(incident) if entry.seq == seq), None):
        return _marked(request, incident, marked)
    entry = _log(incident, seq)
    context = {
        "heading": "A foreign log, checked",
        "board": board.of(incident, timeline_rows=0),
        "verdict": shown(entry.body),
        "entry": entry,
        "file": entry.body["files"][0],
        "mark": offer(request, incident, Act.ANNOTATE_FOREIGN),
    }
    return render_incident(request, "incidents/foreign_log.html", incident, context)


@incident_page("evidence", Act.ANNOTATE_FOREIGN)
def mark_foreign(request: Any, incident: Incident) -> HttpResponse:
    log = _log_asked_for(request, incident)
    form = MarkForm(*data_of(request), incident=incident, found_runs=_runs(log), initial=_usual(log))
    offered = offer(request, incident, Act.ANNOTATE_FOREIGN)
    if form.is_valid():
        with showing_refusals(form):
            _refuse(offered)
            entry = steps.mark(incident, _mark(incident, form, log), on=form.cleaned_data["subject"], by=request.user)
            messages.success(request, f"Made: entry {entry.seq} of this incident's log records it.")
            return back("incidents:foreign_log", incident, entry.seq)
    context = {
        "heading": "Mark what is affected",
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "offer": offered,
        "log": log,
        "verdict": shown(log.body) if log else None,
    }
    return render_incident(request, "incidents/foreign_mark.html", incident, context)


# The log that is checked ----------------------------------------------------------------------------------------------


def _refuse(offered: Offer) -> None:
    """Ask before a file is read: what is not allowed costs nothing."""
    if not offered.mine:
        raise Denied(f"{offered.act.label} is for the {offered.who} of this incident.")
    if offered.blockers:
        raise Refused(*offered.blockers)


def _checked(form: CheckForm) -> tuple[Brought, Verdict]:
    given = form.cleaned_data
    try:
        brought = _fetched(given["address"], given["token"]) if given["address"] else Brought(given["file"])
        return brought, steps.checked(brought.file, given["mode"], given["anchor"])
    except (NotFetched, Unreadable) as problem:
        raise Refused(str(problem)) from problem


def _fetched(address: str, token: str) -> Brought:
    found = fetch_evidence_log(address, token)
    return Brought(SimpleUploadedFile("fetched-log.json", found.body), found.source[:200], clock.now())


def _kept(request: Any, incident: Incident, form: CheckForm, brought: Brought, verdict: Verdict) -> EvidenceEntry:
    try:
        return steps.keep(
            incident,
            brought.file,
            verdict,
            on=form.cleaned_data["subject"],
            by=request.user,
            source=brought.source,
            collected_at=brought.collected_at,
        )
    except NotStored as error:
        raise Refused(str(error)) from error


# The log that is marked -----------------------------------------------------------------------------------------------


def _log_asked_for(request: Any, incident: Incident) -> EvidenceEntry | None:
    """The kept log that the address or the form names."""
    named = (request.POST if request.method == "POST" else request.GET).get("log", "")
    is_number = named.isdecimal() and named.isascii() and len(named) <= _LONGEST_NUMBER
    return _log(incident, int(named)) if is_number else None


def _log(incident: Incident, seq: int) -> EvidenceEntry:
    found = next((entry for entry in steps.kept(incident) if entry.seq == seq), None)
    if found is None:
        raise Http404("No such log was kept in this incident.")
    return found


def _runs(log: EvidenceEntry | None) -> list[str]:
    return [row["run"] for row in log.body["runs"]] if log else []


def _usual(log: EvidenceEntry | None) -> dict[str, str]:
    """What a kept log says already, so that nobody types it."""
    if log is None:
        return {}
    workspaces = log.body["workspaces"]
    return {"workspace": workspaces[0] if workspaces else "", "dialect": log.body["dialect"], "head": log.body["head"]}


def _mark(incident: Incident, form: MarkForm, log: EvidenceEntry | None) -> steps.Mark:
    given = {name: form.cleaned_data[name] for name in ("workspace", "correlation", "dialect", "head")}
    return steps.mark_of(incident, log, **(given | form.affected))


def _marked(request: Any, incident: Incident, entry: EvidenceEntry) -> HttpResponse:
    try:
        with steps.opened(steps.files_of(incident, entry)[0]) as file:
            line = file.read().decode()
    except Refused:
        line = ""
    context = {
        "heading": "A mark for a foreign log",
        "board": board.of(incident, timeline_rows=0),
        "entry": entry,
        "line": line,
        "dialect": steps.dialect_of(entry),
    }
    return render_incident(request, "incidents/foreign_marked.html", incident, context)


# What the pages show --------------------------------------------------------------------------------------------------


def shown(facts: dict[str, Any]) -> dict[str, Any]:
    """A verdict's facts with the words for them."""
    code = Code(facts["verdict"])
    groups = [
        Group(Code(row["code"]), row["count"], [one for one in facts["findings"] if one["code"] == row["code"]])
        for row in facts["found"]
    ]
    return {
        "facts": facts,
        "code": code,
        "text": code.text,
        "dialect": DIALECTS[facts["dialect"]],
        "groups": groups,
        "is_part": facts["mode"] == Mode.SEGMENT,
    }


def _page(
    request: Any, incident: Incident, form: CheckForm, offered: Offer, verdict: dict[str, Any] | None = None
) -> HttpResponse:
    context = {
        "heading": HEADING,
        "board": board.of(incident, timeline_rows=0),
        "form": form,
        "offer": offered,
        "mark": offer(request, incident, Act.ANNOTATE_FOREIGN),
        "verdict": verdict,
        "logs": [(entry, Code(entry.body["verdict"]).text) for entry in steps.kept(incident)],
        "marks": steps.marks(incident),
        "words": [(code, code.text) for code in Code if code.text.look != "ok"],
    }
    return render_incident(request, "incidents/foreign.html", incident, context)
