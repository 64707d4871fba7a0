"""What every page of an incident shares: which incident, who, the frame around it, and how a refusal is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from incidents import authority, policy
from incidents.board import rail, read_board
from incidents.evidence.keys import NoKey
from incidents.models import Incident
from incidents.steps.base import Denied, Refused
from incidents.terms import Act, Role

_TABS = [
    ("war_room", "War room", "incidents:war_room"),
    ("freeze", "Freeze", "incidents:freeze"),
    ("target", "Target", "incidents:target"),
    ("rollback", "Rollback", "incidents:rollback"),
    ("cleanup", "Cleanup", "incidents:cleanup"),
    ("verify", "Gates", "incidents:verify"),
    ("unfreeze", "Unfreeze", "incidents:unfreeze"),
    ("notices", "Updates", "comms:notices"),
    ("deliver", "Deliverables", "incidents:deliver"),
    ("report", "Report", "comms:report"),
    ("roles", "Roles", "incidents:roles"),
    ("evidence", "Evidence", "incidents:evidence"),
]


_READ_WITH = ("product", "runbook", "chain", "declared_by")


class IncidentRequest(HttpRequest):
    """A request to a page of one incident: the roles that the person holds there, read once."""

    incident: Incident
    held: frozenset[Role]
    tab: str


Page = Callable[..., HttpResponseBase]


# For a page that is sent to: the step says who may, because it depends on more than a role.
STEP_DECIDES = "step decides"
_READ = ("GET", "HEAD")


def incident_page(
    word: str, act: Act | str = "", owner: Callable[..., Role | None] | None = None
) -> Callable[[Page], Page]:
    """Settle which incident a page is about, and who may send to it.

    An incident that the person may not know of is not found (404). A page without an act is only read (405); who
    lacks the act's role is told so before anything else is looked at (403).

    Args:
        word: the tab that the page belongs to.
        act: what sending to the page does, or STEP_DECIDES.
        owner: whose an owned act is, from `(incident, **rest of the route)`.

    The view is called with `(request, incident, **rest of the route)`; `request.held` has the person's roles.
    """

    def decorate(view: Page) -> Page:
        @wraps(view)
        def page(request: Any, reference: str, **route: Any) -> HttpResponseBase:
            rows = authority.with_held_roles(authority.visible_incidents(request.user), request.user)
            incident: Any = get_object_or_404(rows.select_related(*_READ_WITH), reference=reference)
            request.incident = incident
            request.held = authority.roles_named(incident.held_names)
            request.tab = word
            if request.method not in (known := (*_READ, "POST") if act else _READ):
                return HttpResponseNotAllowed(known)
            try:
                if request.method == "POST" and isinstance(act, Act):
                    _demand(request, act, owner(incident, **route) if owner else None)
                return view(request, incident, **route)
            except Denied as denied:
                raise PermissionDenied(str(denied)) from denied
            except NoKey as error:
                return render(request, "503.html", {"why": str(error)}, status=503)

        return page

    return decorate


def _demand(request: Any, act: Act, owner: Role | None) -> None:
    if not may(request, act, owner):
        raise Denied(f"{act.label} is for the {policy.who_may(act, owner)} of this incident.")


def may(request: Any, act: Act, owner: Role | None = None) -> bool:
    """Whether the person's roles in this incident carry the act. The step asks again; this only shapes the page."""
    return policy.role_for(request.held, act, owner) is not None


@contextmanager
def showing_refusals(form: Any) -> Iterator[None]:
    """Put a step's refusal into the form, which keeps what was typed; `form.refusal` has it whole."""
    try:
        yield
    except Refused as error:
        form.refusal = error
        for sentence in error.sentences:
            form.add_error(None, sentence)
    except Denied as denied:
        raise PermissionDenied(str(denied)) from denied


@contextmanager
def telling_refusals(request: HttpRequest) -> Iterator[None]:
    """Show a step's refusal as a message, for acts that are one button and have nothing typed to keep."""
    try:
        yield
    except Refused as error:
        for sentence in error.sentences:
            messages.error(request, sentence)
    except Denied as denied:
        raise PermissionDenied(str(denied)) from denied


def render_incident(
    request: Any, template: str, incident: Incident, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page of an incident inside its frame: tabs, level, roles held, and the rail with its counts."""
    board = context.get("board") or read_board(incident)
    frame = {
        "incident": incident,
        "held": request.held,
        "tabs": tabs(incident, request.tab),
        "rail": context.get("rail") or rail(incident, request.tab, board),
        "drill": incident.drill,
    }
    return render(request, template, frame | context, status=status)


def tabs(incident: Incident, current: str) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": reverse(name, args=[incident.reference]), "current": word == current}
        for word, label, name in _TABS
    ]
