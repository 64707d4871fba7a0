"""The evidence bundle: all of it in one zip that anybody can check offline."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpResponseBase
from ninja import Query, Router
from pydantic import BaseModel, Field

from comms import bundle
from comms.reports import files
from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import bytes_of
from incidents.evidence.bundle import Wanted

router = Router(tags=["evidence"])


class Chosen(BaseModel):
    private: bool = Field(default=False, description="With personal values and mails; for those who may erase them.")
    people: Literal["pseudonyms", "names"] = Field(default="pseudonyms", description="With the names behind the ids.")


_ZIP: dict[str, Any] = bytes_of("application/zip")


@router.get("/{ref}/bundle.zip", response={200: None}, openapi_extra=_ZIP)
def bundle_zip(request: ApiRequest, ref: str, chosen: Query[Chosen]) -> HttpResponseBase:
    """The log, its checkpoints, files and updates, with two verifiers. Who took it is recorded."""
    incident = incident_of(request, ref)
    wanted = Wanted(private=chosen.private, names=chosen.people == "names")
    return files.bundle(bundle.hand_out(incident, wanted, by=request.auth.user))
