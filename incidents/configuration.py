"""What the back office changes is on record: each change is one entry of the global log, in the same transaction.

A secret is never written, nor is a person's name or address: they stand as `set`, or `changed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import FieldDoesNotExist
from django.db import transaction
from django.db.models import Model
from django.forms.models import _get_foreign_key
from django.http import HttpRequest
from django.utils.text import capfirst

from incidents import clock
from incidents.evidence import log
from incidents.terms import Kind

Values = dict[str, Any]


def record(sentence: str, *, by: Any, thing: str, identity: str, old: Values, new: Values) -> None:
    """Append the one entry that a change of the configuration leaves; `by` is None for the portal itself."""
    actor = log.person(by) if by else log.SYSTEM_ACTOR
    log.append_globally(Kind.CONFIGURED, actor=actor, sentence=sentence, object=thing, id=identity, old=old, new=new)


def identity(row: Model) -> str:
    """The stable name of a row, never a person's name or address."""
    return str(getattr(row, "public_id", None) or getattr(row, "slug", None) or row.pk)


def plain(value: Any) -> Any:
    """A value as the log can hold it: texts, whole numbers, truth values, lists and objects of these."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return clock.stamp(value)
    if isinstance(value, Model):
        return identity(value)
    if isinstance(value, dict):
        return {str(key).encode("ascii", "backslashreplace").decode(): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else str(value)


def values_of(row: Model, *, without: Iterable[str] = ()) -> Values:
    """The columns of a row by name; a row it points to stands by its identity."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key and field.name not in without]
    return {field.name: plain(getattr(row, field.name)) for field in fields}


def page_of(model: type[Model]) -> RecordedAdmin:
    """The page of the back office that edits these rows: it knows what of them enters the log."""
    page = admin.site.get_model_admin(model)
    assert isinstance(page, RecordedAdmin)  # noqa: S101 - configuration is edited on such pages only
    return page


def record_row(row: Model, *, by: Any, old: Values | None = None) -> None:
    """Append the entry of a row that was made or changed outside the back office, by a command.

    Args:
        by: None for the portal itself.
        old: the page's snapshot from before the change; None where the row is new.
    """
    page = page_of(type(row))
    page.record_change(row, old, page.snapshot(row), by=by)


class OfStaff(admin.options.BaseModelAdmin):
    """Who may open the admin runs the back office. No other right is looked at, a superuser's least of all.

    A choice of another row is a plain choice, with no pop-up that makes or changes that row from here.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class RecordedAdmin(OfStaff, admin.ModelAdmin):
    """An admin page whose every change leaves exactly one entry, with the old and the new values.

    Attributes:
        withheld: fields whose values do not enter the log; that they changed does.
        unrecorded: fields that say nothing about the configuration.
    """

    actions = None
    withheld: ClassVar[frozenset[str]] = frozenset()
    unrecorded: ClassVar[frozenset[str]] = frozenset()

    # What a subclass may word differently ---------------------------------------------------------------------------

    def spoken(self, row: Any) -> str:
        """The row in a sentence."""
        return identity(row) if self.withheld else f"“{row}”"

    def shown(self, name: str, value: Any) -> Any:
        """A value as it enters the log."""
        return value if name not in self.withheld else "set" if value else ""

    def snapshot(self, row: Any) -> Values:
        """Everything that this page can change, its inline rows included."""
        values = values_of(row, without=self.unrecorded)
        for inline in self.inlines:
            key = _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name).name
            rows = inline.model._default_manager.filter(**{key: row}).order_by("pk")
            values[str(inline.model._meta.verbose_name_plural)] = [values_of(found, without=[key]) for found in rows]
        return values

    # Where Django changes something ---------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.recorded = self.snapshot(self.model._default_manager.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        row = self.model._default_manager.get(pk=form.instance.pk)
        self.record_change(row, form.recorded, self.snapshot(row), by=request.user)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            old, name = self.snapshot(obj), obj.pk
            super().delete_model(request, obj)
            obj.pk = name
            self.record_change(obj, old, None, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic():
            for row in queryset:
                self.delete_model(request, row)

    def record_change(self, row: Any, old: Values | None, new: Values | None, *, by: Any) -> None:
        """Append the entry, unless nothing changed. `old` is None for a new row, `new` for a deleted one."""
        before, after = old or {}, new or {}
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name) or None in (old, new)]
        if not changed:
            return
        shown_old = {name: self.shown(name, before[name]) for name in changed if name in before}
        shown_new = {name: self.shown(name, after[name]) for name in changed if name in after}
        for name in shown_new:
            if name in shown_old and shown_old[name] == shown_new[name]:
                shown_new[name] = "changed"
        verb = "added" if old is None else "deleted" if new is None else "changed"
        what = f": {', '.join(map(self._label, changed))}" if verb == "changed" else ""
        record(
            capfirst(f"{self.opts.verbose_name} {self.spoken(row)} {verb}{what}"),
            by=by,
            thing=str(self.opts.model_name),
            identity=identity(row),
            old=shown_old,
            new=shown_new,
        )

    def _label(self, name: str) -> str:
        try:
            return str(getattr(self.opts.get_field(name), "verbose_name", name))
        except FieldDoesNotExist:
            return name
