"""Step 3 checklist: cleanup items ticked or waived by the role that owns the area."""

from __future__ import annotations

from ninja import Router, Status
from pydantic import Field

from incidents.api.found import ApiRequest, Misnamed, incident_of, named, row_of
from incidents.api.shapes import Acted, Proposed, acted, proposed
from incidents.api.strict import Given, Text, Why, length
from incidents.models import CleanupItem
from incidents.steps import cleanup, four_eyes
from incidents.terms import Act

router = Router(tags=["cleanup"])


class Ticks(Given):
    items: list[Text] = Field(min_length=1, max_length=50, description="Keys of items of one area.")
    note: Text = Field("", max_length=length(CleanupItem, "note"))


@router.post("/{ref}/cleanup/tick", response=Acted)
def tick(request: ApiRequest, ref: str, body: Ticks) -> Acted:
    """Mark items of one area as done, all of them or none."""
    incident = incident_of(request, ref)
    items = named(incident.cleanup_items.all(), "items", list(dict.fromkeys(body.items)))
    if len({item.area for item in items}) > 1:
        raise Misnamed("items", "Tick the items of one area at a time.")
    cleanup.tick(incident, items, by=request.auth.user, note=body.note)
    return acted(incident, items[0].area)


@router.post("/{ref}/cleanup/items/{key}/waive", response={200: Acted, 202: Proposed})
def waive(request: ApiRequest, ref: str, key: str, body: Why) -> Status[Acted] | Status[Proposed]:
    """Say why an item does not apply; at L3 Code, data, evidence and credentials a second person confirms."""
    incident = incident_of(request, ref)
    item, by = row_of(incident.cleanup_items, "cleanup item", key=key), request.auth.user
    if cleanup.waiver_needs_second(incident):
        waiting = four_eyes.propose(incident, Act.WAIVE_CLEANUP, by=by, reason=body.reason, item=key)
        return Status(202, proposed(waiting))
    cleanup.waive(item, by=by, reason=body.reason)
    return Status(200, acted(incident, key))
