"""All incidents that a person may know of, filtered and paged."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents.board.register import register
from incidents.forms.filters import ListFilter


@require_safe
def incident_list(request: Any) -> HttpResponse:
    form = ListFilter(request.GET)
    asked = form.asked()
    page = register(request.user, **asked)
    context = {
        "page": page,
        "form": form,
        "asked": asked,
        "states": [
            ("All", address(asked, state=None), asked["state"] is None),
            ("Open", address(asked, state="open"), asked["state"] == "open"),
            ("Ended", address(asked, state="ended"), asked["state"] == "ended"),
        ],
        "drills_url": address(asked, drills=None if asked["drills"] == "only" else "only"),
        "newest_url": address(asked) if asked["before"] else "",
        "older_url": address(asked, before=page.older_than) if page.older_than else "",
    }
    return render(request, "incidents/list.html", context)


def address(asked: dict[str, Any], **changed: Any) -> str:
    """The same list with something changed; from its first page where the page is not what changes."""
    wanted = {name: value for name, value in (asked | {"before": None} | changed).items() if value}
    query = QueryDict(mutable=True)
    for name, value in wanted.items():
        query[name] = getattr(value, "slug", value)
    return f"?{query.urlencode()}"
