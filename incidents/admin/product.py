"""Products with their environments and the people who stand ready, and who may audit."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from incidents import authority, clock
from incidents.configuration import OfStaff, RecordedAdmin
from incidents.models import AuditGrant, Environment, Freeze, Incident, Product, RosterEntry
from incidents.steps.base import locked


class EnvironmentForms(BaseInlineFormSet):
    """A freeze holds for the environments it began with, so they stay as they are until it ends."""

    def clean(self) -> None:
        super().clean()
        held = Freeze.objects.filter(product_id=self.instance.pk, active=True).select_related("incident").first()
        if held and self.has_changed():
            raise ValidationError(
                f"{held.incident} holds the freeze: its environments can be changed when it has ended."
            )


class Rows(OfStaff, admin.TabularInline):
    """Rows beside a product. A form that says it has more is not drawn with a thousand empty ones."""

    max_num = 100

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        return super().get_formset(request, obj, absolute_max=self.max_num, **options)


class EnvironmentInline(Rows):
    model = Environment
    formset = EnvironmentForms
    extra = 0


class RosterInline(Rows):
    model = RosterEntry
    extra = 0

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "user" and field:
            field.help_text = "Rank 1 is asked at declaration; the next ranks may take over."
        return field


@admin.register(Product)
class ProductAdmin(RecordedAdmin):
    list_display = ("name", "slug", "stability_seconds", "cadence_minutes")
    search_fields = ("name", "slug")
    prepopulated_fields: ClassVar = {"slug": ("name",)}
    inlines = (EnvironmentInline, RosterInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if change and formset.model is RosterEntry and formset.has_changed():
            _project_roster(form.instance)


def _project_roster(product: Product) -> None:
    """Whoever stands ready may see the product's incidents: make their rights say so, each under its lock."""
    for pk in Incident.objects.filter(product=product).order_by("pk").values_list("pk", flat=True):
        authority.project(locked(pk))


@admin.register(AuditGrant)
class AuditGrantAdmin(RecordedAdmin):
    list_display = ("user", "reason", "granted_by", "expires_at", "in_force")
    list_select_related = ("user", "granted_by")
    search_fields = ("user__name", "user__email", "reason")

    def spoken(self, row: AuditGrant) -> str:
        return f"{row.pk} until {row.expires_at:%Y-%m-%d}"

    @admin.display(description="In force", boolean=True)
    def in_force(self, row: AuditGrant) -> bool:
        return row.expires_at > clock.now()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("user", "granted_by") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.granted_by = request.user
        super().save_model(request, obj, form, change)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "expires_at" and field:
            field.help_text = "The person reads everything until then. To end the grant, set it to now."
        return field
