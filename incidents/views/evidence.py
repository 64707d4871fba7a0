"""The evidence log of one incident: read, filtered, verified, taken away."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict, StreamingHttpResponse

from incidents import board as boards
from incidents.evidence import log
from incidents.forms.filters import LogFilter
from incidents.models import Incident
from incidents.views.base import incident_page, render_incident

PAGE = 50


@incident_page("evidence")
def evidence(request: Any, incident: Incident) -> HttpResponse:
    asked = LogFilter(request.GET).asked()
    show = asked["show"]
    page = boards.log_page(
        incident, limit=PAGE, before=asked["before"], after=asked["after"], kinds=boards.kinds_of(show or "")
    )
    context = {
        "heading": "Evidence",
        "board": boards.of(incident, timeline_rows=0),
        "page": page,
        "head": incident.chain,
        "groups": {key: name for key, (name, _) in boards.GROUPS.items()},
        "asked": show,
        "newer_url": _address(show, after=page.newer_than),
        "older_url": _address(show, before=page.older_than),
        "range": f"entries {page.rows[-1].seq}–{page.rows[0].seq}" if page.rows else "",
        "verdict": log.verify(incident.chain) if asked["verify"] else None,
    }
    return render_incident(request, "incidents/evidence.html", incident, context)


@incident_page("evidence")
def evidence_jsonl(request: Any, incident: Incident) -> StreamingHttpResponse:
    """The whole log, a line an entry, streamed as it is stored."""
    name = f"{incident.reference}-evidence.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(log.jsonl(incident.chain), content_type="application/x-ndjson", headers=headers)


def _address(show: str | None, **key: int | None) -> str:
    query = QueryDict(mutable=True)
    for name, value in {"show": show, **key}.items():
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}" if any(value is not None for value in key.values()) else ""
