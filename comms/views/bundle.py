"""The evidence bundle, taken away."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.views.decorators.http import require_GET

from comms import bundle
from comms.reports import files
from incidents.evidence.bundle import Wanted
from incidents.models import Incident
from incidents.views.base import incident_page


@incident_page("evidence")
@require_GET
def bundle_zip(request: Any, incident: Incident) -> HttpResponseBase:
    """Everything of the incident's evidence: pseudonymous, and without personal values unless they are asked for."""
    wanted = Wanted(private=request.GET.get("private") == "1", names=request.GET.get("people") == "names")
    return files.bundle(bundle.hand_out(incident, wanted, by=request.user))
