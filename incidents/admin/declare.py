"""Incidents as they were declared, what suggested them, and the roles people hold in them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from incidents import authority
from incidents.admin.base import PageAct, ReadOnlyAdmin
from incidents.admin.correction import CorrectableAdmin
from incidents.models import Incident, Membership, Proposal, Suggestion
from incidents.steps import roles
from incidents.steps.base import Denied, Refused
from incidents.terms import Role


class StepInForm(forms.Form):
    """Which role of which incident, and why: the reference is typed, because nobody lists what they may not know."""

    reference = forms.CharField(label="Incident", max_length=20, widget=AdminTextInputWidget, help_text="RB-…")
    role = forms.TypedChoiceField(choices=Role.choices, coerce=Role)
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3, "cols": 80}))

    def clean_reference(self) -> Incident:
        incident = Incident.objects.filter(reference=self.cleaned_data["reference"].strip()).first()
        if incident is None:
            raise forms.ValidationError("There is no such incident.")
        return incident


@admin.register(Incident)
class IncidentAdmin(CorrectableAdmin):
    list_display = ("reference", "product", "phase", "scope_level", "drill", "summary", "declared_at", "ended_at")
    list_filter = ("phase", "scope_level", "drill", "product")
    list_select_related = ("product",)
    search_fields = ("reference", "summary", "product__slug")
    date_hierarchy = "declared_at"
    change_list_template = "admin/back_office/incidents.html"

    def get_urls(self) -> list[URLPattern]:
        own = path("take-role/", self.admin_site.admin_view(self.step_in), name=self.url_name("step_in"))
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        way_in = reverse(f"admin:{self.url_name('step_in')}") if authority.may_step_in(request.user) else ""
        return super().changelist_view(request, {"step_in_url": way_in} | (extra_context or {}))

    def step_in(self, request: HttpRequest) -> HttpResponse:
        """Let a superuser take a role: with a fresh proof, a reason, an entry, and a mail to its people."""
        if not authority.may_step_in(request.user):
            raise PermissionDenied
        form = StepInForm(request.POST or None)
        if form.is_valid() and self._has_stepped_in(request, form, **form.cleaned_data):
            return redirect(form.cleaned_data["reference"])
        return self.page(request, "step_in", None, "Take a role in an incident", form=form)

    def _has_stepped_in(
        self, request: HttpRequest, form: StepInForm, reference: Incident, role: Role, reason: str
    ) -> bool:
        try:
            roles.step_in(reference, role, by=request.user, reason=reason)
        except Refused as no:
            form.add_error(None, no.sentences)
        except Denied as no:
            form.add_error(None, str(no))
        else:
            said = f"You are the {role.label} of {reference}. Everybody who holds a role in it is told by mail."
            self.message_user(request, said)
        return not form.errors

    def acts_of(self, request: HttpRequest, row: Any) -> list[PageAct]:
        verify = reverse("admin:incidents_evidencechain_verify", args=[row.chain.pk])
        return [*super().acts_of(request, row), PageAct("Verify its evidence", verify)]


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("incident", "role", "user", "assigned_at", "accepted_at", "ended_at")
    list_filter = ("role",)
    list_select_related = ("incident", "user")
    search_fields = ("incident__reference", "user__name", "user__email")


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("incident", "act", "sentence", "proposed_by", "proposed_at", "decided_by", "confirmed")
    list_filter = ("act", "confirmed")
    list_select_related = ("incident", "proposed_by", "decided_by")
    search_fields = ("incident__reference", "sentence")


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    list_display = ("title", "product", "source", "state", "count", "last_seen_at", "decided_by", "incident")
    list_filter = ("state", "source", "product")
    list_select_related = ("product", "decided_by", "incident")
    search_fields = ("title", "product__slug", "incident__reference")
