"""A file that was brought as evidence, handed out as it was uploaded and never shown in the browser."""

from __future__ import annotations

import re
from typing import Any

import structlog
from django.http import FileResponse, Http404, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from incidents.evidence import attachments, custody
from incidents.models import Incident
from incidents.views.base import incident_page

log = structlog.get_logger()


@incident_page("evidence")
@require_GET
def attachment(request: Any, incident: Incident, sha256: str) -> HttpResponseBase:
    """Send the bytes once they are known to be those that were uploaded."""
    rows = incident.attachments.filter(sha256=sha256) if re.fullmatch(r"[0-9a-f]{64}", sha256) else None
    found = rows.first() if rows else None
    if found is None:
        raise Http404("No such file in this incident.")
    try:
        content = attachments.open(found)
    except attachments.Damaged as damage:
        log.warning("attachment.damaged", incident=incident.reference, sha256=sha256)
        return render(request, "incidents/file_damaged.html", {"incident": incident, "damage": damage}, status=410)
    custody.file(found, by=request.user)
    response = FileResponse(content, as_attachment=True, filename=found.name, content_type="application/octet-stream")
    response["Content-Length"] = str(found.size)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
