"""Personal values of an incident: listed, and erased once a second person confirms."""

from __future__ import annotations

from ninja import Router
from pydantic import BaseModel, Field

from incidents.api.found import ApiRequest, incident_of
from incidents.api.shapes import Proposed, proposed
from incidents.api.strict import Text, Why
from incidents.steps import four_eyes, privacy
from incidents.terms import Act

router = Router(tags=["evidence"])


class PersonalValue(BaseModel):
    """A value that stands apart from the log; its entry holds a commitment to it."""

    entry: int
    path: str
    value: str
    salt: str = Field(description="32 bytes in hex; with it anybody can check the commitment.")


class Erasure(Why):
    entry: int = Field(ge=1, lt=2**53)
    path: Text = Field(min_length=1, max_length=40)


@router.get("/{ref}/evidence/personal", response=list[PersonalValue], summary="List personal values")
def personal_values(request: ApiRequest, ref: str) -> list[PersonalValue]:
    """What can be erased: each value with the entry and the fact that it belongs to."""
    found = privacy.values_of(incident_of(request, ref))
    return [PersonalValue(entry=row.seq, path=row.path, value=row.value, salt=bytes(row.salt).hex()) for row in found]


@router.post("/{ref}/evidence/personal/erase", response={202: Proposed}, summary="Erase a personal value")
def erase(request: ApiRequest, ref: str, body: Erasure) -> Proposed:
    """Erase one value for good, once a second person confirms. The entry stays, and the chain verifies as before."""
    incident = incident_of(request, ref)
    value = {"entry": body.entry, "path": body.path}
    return proposed(four_eyes.propose(incident, Act.ERASE, by=request.auth.user, reason=body.reason, **value))
