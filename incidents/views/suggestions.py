"""What outside systems suggest to declare: declared by the form of step 1, or dismissed with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from incidents import authority
from incidents.board.suggestions import past, waiting
from incidents.forms.suggestions import DismissForm
from incidents.steps import suggest
from incidents.views.base import telling_refusals

NOT_READY = "A suggestion is dismissed by those who stand ready as Incident Commander of its product."


@require_safe
def suggestions(request: Any) -> HttpResponse:
    return _page(request)


def dismiss(request: Any, pk: int) -> HttpResponse:
    rows = authority.visible_suggestions(request.user).select_related("product", "sent_by")
    suggestion: Any = get_object_or_404(rows, pk=pk)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not suggestion.may_decide:
        raise PermissionDenied(NOT_READY)
    form = DismissForm(request.POST, prefix=str(pk))
    if not form.is_valid():
        return _page(request, form)
    with telling_refusals(request):
        suggest.dismiss(suggestion, by=request.user, reason=form.cleaned_data["reason"])
        messages.success(request, f"Dismissed: {suggestion}")
    return redirect("incidents:suggestions")


def _page(request: Any, form: DismissForm | None = None) -> HttpResponse:
    """The page; a form that was not complete stands at its suggestion with what was typed."""
    rows = list(waiting(request.user))
    for row in rows:
        mine = form is not None and form.prefix == str(row.pk)
        row.form = form if mine else DismissForm(prefix=str(row.pk))  # type: ignore[attr-defined]
    return render(request, "incidents/suggestions.html", {"suggestions": rows, "past": past(request.user)})
