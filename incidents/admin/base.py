"""What the pages of the back office share: rows that are only looked at, acts beside a row, corrections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from incidents import authority
from incidents.configuration import OfStaff
from incidents.connectors import credentials
from incidents.models import Incident


@dataclass(frozen=True)
class PageAct:
    """A button or a link at the head of a row's page."""

    label: str
    url: str
    posts: bool = False


class WithActs(admin.ModelAdmin):
    """A page with acts of its own: `own_views` are reached at `<id>/<name>/`, `acts_of` shows the way."""

    change_form_template = "admin/back_office/change_form.html"

    def own_views(self) -> dict[str, Any]:
        return {}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return []

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=self.url_name(name))
            for name, view in self.own_views().items()
        ]
        return [*own, *super().get_urls()]

    def url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def url_of(self, name: str, row: Any) -> str:
        return reverse(f"admin:{self.url_name(name)}", args=[row.pk])

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """The row, for whoever may see it. Raises Http404 or PermissionDenied."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404(f"There is no such {self.opts.verbose_name}.")
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def page(self, request: HttpRequest, template: str, row: Any, title: str, **context: Any) -> HttpResponse:
        """A page of its own beside a row's page."""
        frame = self.admin_site.each_context(request)
        shown = {**frame, "opts": self.opts, "original": row, "title": title, **context}
        return TemplateResponse(request, f"admin/back_office/{template}.html", shown)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context["acts"] = self.acts_of(request, obj) if obj else []
        return super().render_change_form(request, context, add, change, form_url, obj)


class ReadOnlyAdmin(OfStaff, WithActs):
    """Rows that are looked at and searched here, and changed only by the steps of their incident."""

    actions = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without what belongs to a need-to-know incident, unless the person may know of it."""
        rows = super().get_queryset(request)
        way = way_to_incident(self.opts.label)
        if way is None:
            return rows
        known = Q(**{f"{way}pk__in": authority.visible_incidents(request.user).filter(need_to_know=True)})
        # What has no incident, as the global log has none, is everybody's.
        apart = Q(**{f"{way}pk": None}) if way else Q()
        return rows.filter(Q(**{f"{way}need_to_know": False}) | known | apart)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or [field.name for field in self.opts.concrete_fields if field.name != "id"]


class ShownMasked(ReadOnlyAdmin):
    """Rows that hold what was typed into a connector or a wiring; nothing is saved from here."""

    masked: tuple[str, ...] = ()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        for name in self.masked if row else ():
            setattr(row, name, credentials.masked(getattr(row, name)))
        return row


@cache
def way_to_incident(label: str) -> str | None:
    """How a query of the model of this label names its incident, as `action__incident__`; None where it has none."""
    ways: list[tuple[Any, str]] = [(apps.get_model(label), "")]
    seen = set()
    for found, way in ways:
        if found is Incident:
            return way
        if found not in seen:
            seen.add(found)
            ways += [(field.related_model, f"{way}{field.name}__") for field in found._meta.fields if field.is_relation]
    return None
