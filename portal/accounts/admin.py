"""Who signs in and what signs in for a pipeline: made, switched off and revoked here, never deleted."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.mfa.models import Authenticator
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from incidents.admin.base import PageAct, WithActs
from incidents.configuration import RecordedAdmin
from portal.accounts.admin_forms import IssueForm, NewPersonForm, PersonForm
from portal.accounts.models import ApiToken, User

# Rights inside an incident come from its roles alone, so there is nothing to give to a group.
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(RecordedAdmin, WithActs, UserAdmin):
    form = PersonForm
    add_form = NewPersonForm
    list_display = ("name", "email", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("name", "email", "public_id")
    ordering = ("name",)
    filter_horizontal = ()
    readonly_fields = ("public_id", "joined_at", "last_login")
    fieldsets = (
        (None, {"fields": ("name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff")}),
        ("On record", {"fields": ("public_id", "joined_at", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("name", "email", "password1", "password2", "is_staff")}),)
    withheld = frozenset({"name", "email"})
    unrecorded = frozenset({"password", "last_login"})

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def own_views(self) -> dict[str, Any]:
        return {"forget-factors": self.forget_factors}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        acts = [PageAct("Set a password", reverse("admin:auth_user_password_change", args=[row.pk]))]
        if Authenticator.objects.filter(user=row).exists():
            acts.append(PageAct("Remove second factors", self.url_of("forget-factors", row), posts=True))
        return acts

    @method_decorator(require_POST)
    def forget_factors(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take away every second factor of a person who has lost theirs; each is on record, and they are signed out."""
        row = self.found(request, object_id)
        with transaction.atomic():
            Authenticator.objects.filter(user=row).delete()
        end_sessions(request, UserSession.objects.filter(user=row))
        self.message_user(request, f"{row} has no second factor any more and is signed out everywhere.")
        return redirect(self.url_of("change", row))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.editor = request.user  # type: ignore[attr-defined]
        return form

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set a person's password; that it was changed is on record, nothing else of it."""
        with transaction.atomic():
            person = self.get_object(request, unquote(id))
            response = super().user_change_password(request, id, form_url)
            self.record_password(request, person)
        return response

    def record_password(self, request: HttpRequest, before: Any) -> None:
        """Append an entry if the person's password is no longer what it was."""
        if before and User.objects.get(pk=before.pk).password != before.password:
            self.record_change(before, {"password": "set"}, {"password": "changed"}, by=request.user)


@admin.register(ApiToken)
class TokenAdmin(RecordedAdmin, WithActs):
    form = IssueForm
    list_display = ("name", "user", "product", "may", "last_used_at", "expires_at", "is_live")
    list_filter = ("product",)
    list_select_related = ("user", "product")
    search_fields = ("name", "user__name", "user__email", "hint")
    fields: ClassVar = (
        *("name", "user", "product", "incident", "scopes", "hint"),
        *("created_at", "expires_at", "last_used_at", "revoked_at"),
    )
    unrecorded = frozenset({"digest", "hint", "last_used_at"})

    def spoken(self, row: ApiToken) -> str:
        return f"“{row.name}”"

    @admin.display(description="Live", boolean=True)
    def is_live(self, row: ApiToken) -> bool:
        return row.is_live()

    @admin.display(description="May")
    def may(self, row: ApiToken) -> str:
        return ", ".join(row.scopes)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else IssueForm.Meta.fields

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        issued, form.secret = ApiToken.issue(
            obj.user,
            name=obj.name,
            scopes=obj.scopes,
            product=obj.product,
            incident=obj.incident,
            expires_at=obj.expires_at,
        )
        form.recorded, form.instance.pk = None, issued.pk
        request.issued_secret = form.secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret, on this one answer: it is kept nowhere, not even in the session."""
        secret = request.issued_secret  # type: ignore[attr-defined]
        token = ApiToken.objects.get(pk=obj.pk)
        return self.page(request, "token_issued", token, "Token issued", secret=secret)

    def own_views(self) -> dict[str, Any]:
        return {"revoke": self.revoke}

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        return [] if row.revoked_at else [PageAct("Revoke", self.url_of("revoke", row), posts=True)]

    @method_decorator(require_POST)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End a token now and for good."""
        with transaction.atomic():
            row = self.found(request, object_id)
            if ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now()):
                now = ApiToken.objects.get(pk=row.pk)
                self.record_change(now, self.snapshot(row), self.snapshot(now), by=request.user)
                self.log_change(request, now, "Revoked")
        self.message_user(request, f"“{row.name}” is revoked.")
        return redirect(self.url_of("change", row))
