"""Step 1: one form, and the freeze is in force when the answer arrives."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from incidents.board.ready import Ready, ready
from incidents.board.suggestions import waiting
from incidents.forms.declare import DeclareForm, prefilled
from incidents.models import Suggestion
from incidents.runbook import versions
from incidents.steps import declare as steps
from incidents.views.base import showing_refusals

LONGEST_KEY = 19
NOT_READY = "Rollback mode is declared by those who stand ready as Incident Commander of a product."


@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: Any) -> HttpResponse:
    products = ready(request.user)
    if request.method == "POST" and not any(row.is_mine for row in products):
        raise PermissionDenied(NOT_READY)
    form = _form(request, products)
    if form.is_valid():
        with showing_refusals(form):
            incident = steps.rollback_mode(**form.cleaned_data, by=request.user)
            messages.success(request, f"Rollback mode is in force: {incident.product} is frozen from this moment on.")
            return redirect(incident)
    return render(
        request,
        "incidents/declare.html",
        {
            "form": form,
            "book": form.book,
            "mine": [row for row in products if row.is_mine],
            "products": products,
            "suggestion": form.answers,
        },
    )


def _form(request: Any, products: list[Ready]) -> DeclareForm:
    own = [row.product for row in products if row.is_mine and not row.held_by]
    initial = {"product": request.GET.get("product") or (own[0].slug if own else None), "commander": request.user.pk}
    suggestion = _suggestion(request)
    book = versions.current().content
    initial |= prefilled(suggestion, book) if suggestion else {}
    sentences = {row.product.slug: row.sentence for row in products}
    data = request.POST if request.method == "POST" else None
    return DeclareForm(data, initial=initial, book=book, products=sentences, suggestion=suggestion)


def _suggestion(request: Any) -> Suggestion | None:
    """What is to be declared for, if it waits and is this person's to decide."""
    asked = request.POST.get("suggestion") or request.GET.get("suggestion") or ""
    is_key = asked.isascii() and asked.isdecimal() and len(asked) < LONGEST_KEY
    found: Any = waiting(request.user).filter(pk=asked).first() if is_key else None
    return found if found and found.may_decide else None
