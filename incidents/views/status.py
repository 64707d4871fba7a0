"""The read-only page for stakeholders, open without sign-in: bounded facts, never a word that a person typed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from incidents.board.status import News, news_of, status_of
from incidents.models import Product

SECONDS = 10


@login_not_required
@require_safe
def status(request: Any, slug: str) -> HttpResponse:
    found = status_of(get_object_or_404(Product, slug=slug))
    context = {"status": found, "news": news_of(found.product, 10)}
    if found.incident:
        context["drill"] = found.incident.drill
    return _cacheable(request, render(request, "incidents/status.html", context))


@login_not_required
@require_safe
def status_feed(request: Any, slug: str) -> HttpResponse:
    product = get_object_or_404(Product, slug=slug)
    page = settings.PUBLIC_URL + reverse("incidents:status", args=[slug])
    feed = Atom1Feed(
        title=f"{product} delivery status",
        link=page,
        description="Freezes and rollbacks",
        language="en",
        feed_url=settings.PUBLIC_URL + reverse("incidents:status_feed", args=[slug]),
        feed_guid=page,
    )
    for news in news_of(product):
        _add(feed, product, page, news)
    return _cacheable(request, HttpResponse(feed.writeString("utf-8"), content_type="application/atom+xml"))


def _add(feed: Atom1Feed, product: Product, page: str, news: News) -> None:
    mark = "Drill · " if news.drill else ""
    at: datetime = news.at
    feed.add_item(
        title=f"{mark}{product}: {news.words}",
        link=page,
        description=f"{mark}{news.reference}. {news.words}",
        unique_id=f"{page}#{news.reference}-{news.seq}",
        pubdate=at,
        updateddate=at,
    )


def _cacheable(request: Any, response: HttpResponse) -> HttpResponse:
    """A visitor's page may be kept by anybody for a moment; a signed-in person's frame by nobody."""
    if not request.user.is_authenticated:
        patch_cache_control(response, public=True, max_age=SECONDS)
    return response
