"""One's own password, for whoever has one here: people of the identity provider have theirs there."""

from __future__ import annotations

from allauth.account import views
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse


@transaction.atomic
def change(request: HttpRequest) -> HttpResponse:
    """Change it; the entry that says so is in the same transaction, and every other session ends."""
    if not request.user.has_usable_password():  # type: ignore[union-attr]
        raise Http404("You have no password here.")
    return views.password_change(request)  # type: ignore[no-any-return]
