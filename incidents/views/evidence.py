"""The evidence log of one incident: read, filtered, verified against what people kept, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from incidents import board as boards
from incidents.evidence import checkpoints, completeness, custody, keys, log, verify, witness
from incidents.evidence.note import VerifierKey
from incidents.forms.evidence import VerifyForm
from incidents.forms.filters import EvidenceFilter
from incidents.models import Incident
from incidents.terms import Act
from incidents.views.base import STEP_DECIDES, incident_page, may, render_incident

PAGE = 50
_HERE = "<!-- the verification is written here -->"


@incident_page("evidence")
def evidence(request: Any, incident: Incident) -> HttpResponse:
    form = EvidenceFilter(request.GET, incident=incident)
    asked = form.asked()
    show, known = asked["show"], asked["known"]
    page = boards.log_page(
        incident,
        limit=PAGE,
        before=asked["before"],
        after=asked["after"],
        kinds=boards.kinds_of(show or ""),
        known=known,
    )
    context = {
        "heading": "Evidence",
        "board": boards.of(incident, timeline_rows=0),
        "page": page,
        "head": incident.chain,
        **_signed(incident),
        "alarm": witness.alarms().get(incident.chain.pk),
        "form": VerifyForm(),
        "groups": {key: name for key, (name, _) in boards.GROUPS.items()},
        "asked": show,
        "filter": form,
        "known": known,
        "known_text": _text(known),
        "may_correct": may(request, Act.CORRECT),
        "newer_url": _address(show, known, after=page.newer_than),
        "older_url": _address(show, known, before=page.older_than),
        "range": f"entries {page.rows[-1].seq}–{page.rows[0].seq}" if page.rows else "",
    }
    return render_incident(request, "incidents/evidence.html", incident, context)


@incident_page("evidence", STEP_DECIDES)
@require_POST
def verify_evidence(request: Any, incident: Incident) -> HttpResponseBase:
    """Walk the whole log and hold it against what was brought. A long walk says how far it is while it goes on."""
    form = VerifyForm(request.POST, request.FILES)
    context = {"heading": "Verify the evidence", "form": form, "head": incident.chain, "here": _HERE}
    context |= {"board": boards.of(incident, timeline_rows=0), **_signed(incident)}
    if not form.is_valid():
        return render_incident(request, "incidents/evidence_verify.html", incident, context, status=422)
    key = form.cleaned_data["key"]
    page = render_incident(request, "incidents/evidence_verify.html", incident, context)
    before, _, after = page.content.decode().partition(_HERE)
    trusted = [*keys.verifiers(), *([key] if key else [])]
    said = _verified(incident, form.cleaned_data["checkpoints"], trusted)
    return StreamingHttpResponse(_around(before, said, after))


def _around(before: str, said: Iterator[str], after: str) -> Iterator[str]:
    yield before
    yield from said
    yield after


def _verified(incident: Incident, notes: list[str], trusted: list[VerifierKey]) -> Iterator[str]:
    head = incident.chain
    finding = None
    for step in log.check_in_steps(head, notes, trusted):
        if isinstance(step, verify.Finding):
            finding = step
        else:
            yield format_html('<p class="progress" role="status">{} of {} entries checked</p>\n', step, head.seq)
    gaps = completeness.check(incident) if finding and finding.verdict.is_intact else []
    context = {"verdict": finding and finding.verdict, "finding": finding, "gaps": gaps, "head": head}
    yield render_to_string("incidents/_verification.html", context)


def _signed(incident: Incident) -> dict[str, Any]:
    return {"checkpoint": checkpoints.latest(incident), "keys": [str(key) for key in keys.verifiers()]}


@incident_page("evidence")
@require_GET
def checkpoint_txt(request: Any, incident: Incident) -> HttpResponse:
    """The last checkpoint as it was signed, to be kept elsewhere."""
    found = checkpoints.latest(incident)
    if found is None:
        raise Http404("Nothing of this log was signed yet.")
    custody.checkpoint(incident, found, by=request.user)
    name = f"{incident.reference}-checkpoint-{found.size}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(found.note, content_type="text/plain; charset=utf-8", headers=headers)


@incident_page("evidence")
@require_GET
def evidence_jsonl(request: Any, incident: Incident) -> StreamingHttpResponse:
    """The whole log, a line an entry, streamed as it is stored."""
    name = f"{incident.reference}-evidence.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    head = custody.whole_log(incident, by=request.user)
    lines = log.jsonl(head, until=head.seq)
    return StreamingHttpResponse(lines, content_type="application/x-ndjson", headers=headers)


def _address(show: str | None, known: datetime | None, **key: int | None) -> str:
    query = QueryDict(mutable=True)
    for name, value in {"show": show, "known": _text(known), **key}.items():
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}#log" if any(value is not None for value in key.values()) else ""


def _text(known: datetime | None) -> str | None:
    """The moment as an address says it."""
    return known.astimezone(UTC).isoformat().replace("+00:00", "Z") if known else None
