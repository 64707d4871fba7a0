"""Who holds which role: assign, accept, hand over, take over, and how it came to be."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from incidents import board as boards
from incidents.forms.roles import FORMS, RoleForm
from incidents.models import Incident
from incidents.steps import roles as steps
from incidents.terms import Role
from incidents.views.base import STEP_DECIDES, incident_page, render_incident, showing_refusals


@incident_page("roles", STEP_DECIDES)
def roles(request: Any, incident: Incident) -> HttpResponse:
    people = steps.candidates(incident, Role.COMMANDER)
    sent = _sent(request, people)
    if sent and sent.is_valid():
        with showing_refusals(sent):
            messages.success(request, _do(request, incident, **sent.cleaned_data))
            return redirect(incident if "from_war_room" in request.POST else request.path)
    board = boards.of(incident, timeline_rows=0)
    posts = boards.staffing(board, request.held, request.user)
    offered = {(act, post.role.value) for post in posts for act in post.acts}
    context = {
        "heading": "Roles",
        "board": board,
        "posts": [(post, [_form(act, post.role, people, sent) for act in post.acts]) for post in posts],
        "stray": sent if sent and sent.about not in offered else None,
    }
    return render_incident(request, "incidents/roles.html", incident, context)


def _sent(request: Any, people: Any) -> RoleForm | None:
    """The form that was sent; an act that does not exist is answered by the plainest one."""
    if request.method != "POST":
        return None
    return FORMS.get(request.POST.get("act", ""), RoleForm)(request.POST, people=people)


def _form(act: str, role: Role, people: Any, sent: RoleForm | None) -> RoleForm:
    if sent is not None and sent.about == (act, role.value):
        return sent
    auto_id = f"id_{role.value}_{act}_%s"
    return FORMS[act](people=people, initial={"act": act, "role": role.value}, auto_id=auto_id)


def _do(request: Any, incident: Incident, act: str, role: Role, person: Any = None, reason: str = "") -> str:
    """Do what was sent, and say what holds now."""
    if act == "accept":
        steps.accept(incident, role, by=request.user)
        return f"You are the {role.label} of {incident}."
    if act == "assign":
        steps.assign(incident, role, user=person, by=request.user, reason=reason)
        return f"{person} is asked to accept the role {role.label}."
    if act == "hand_over":
        steps.hand_over(incident, role, to=person, by=request.user, reason=reason)
        return f"The role {role.label} is handed over to {person}."
    steps.take_over(incident, role, by=request.user, reason=reason)
    return f"You have taken over as {role.label}."
