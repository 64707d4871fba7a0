"""Actions, who agreed to them, each try at running one, and the switch that stops them all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from incidents.admin.base import ReadOnlyAdmin, ShownMasked
from incidents.models import Action, Approval, Attempt, CallbackReceipt, DispatchStop, Rehearsal
from incidents.steps import kill_switch
from incidents.steps.base import Denied, Refused


@admin.register(Action)
class ActionAdmin(ShownMasked):
    masked = ("arguments",)
    list_display = ("incident", "key", "name", "owner", "stage", "state", "connector", "finished_at")
    list_filter = ("state", "track", "owner", "destructive")
    list_select_related = ("incident", "connector")
    search_fields = ("incident__reference", "key", "name", "result")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ("action", "by", "approved_at", "expires_at")
    list_select_related = ("action", "by")
    search_fields = ("action__incident__reference", "action__key", "digest")


@admin.register(Attempt)
class AttemptAdmin(ShownMasked):
    masked = ("remote", "remote_ref")
    list_display = ("action", "number", "state", "by_hand", "requested_by", "queued_at", "started_at", "finished_at")
    list_filter = ("state", "by_hand")
    list_select_related = ("action", "requested_by")
    search_fields = ("action__incident__reference", "action__key", "sentence", "remote_ref")


@admin.register(Rehearsal)
class RehearsalAdmin(ReadOnlyAdmin):
    list_display = ("action", "state", "by", "asked_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("action", "by")
    search_fields = ("action__incident__reference", "action__key", "sentence")


@admin.register(CallbackReceipt)
class CallbackReceiptAdmin(ReadOnlyAdmin):
    list_display = ("message_id", "attempt", "received_at")
    list_select_related = ("attempt__action",)
    search_fields = ("message_id", "attempt__action__incident__reference")


class SwitchForm(forms.Form):
    """Why the switch is thrown or lifted."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3, "cols": 80}))


@admin.register(DispatchStop)
class DispatchStopAdmin(ReadOnlyAdmin):
    """When dispatch was stopped, by whom and why; and the way to stop or resume it."""

    change_list_template = "admin/back_office/dispatch_stops.html"
    list_display = ("stopped_at", "by", "reason", "lifted_at", "lifted_by")
    list_select_related = ("by", "lifted_by")
    search_fields = ("reason",)

    def get_urls(self) -> list[URLPattern]:
        switch = path("switch/", self.admin_site.admin_view(self.switch), name=self.url_name("switch"))
        return [switch, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        shown = {"switch_url": reverse(f"admin:{self.url_name('switch')}"), "stopped": kill_switch.in_force()}
        return super().changelist_view(request, shown | (extra_context or {}))

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Show whether actions may start; stop or resume dispatch, with a reason."""
        stopped = kill_switch.in_force()
        form = SwitchForm(request.POST or None)
        if form.is_valid() and self._is_switched(request, form):
            return redirect(reverse(f"admin:{self.url_name('changelist')}"))
        title = "Resume dispatch" if stopped else "Stop dispatch"
        return self.page(request, "switch", stopped, title, form=form, stopped=stopped)

    def _is_switched(self, request: HttpRequest, form: SwitchForm) -> bool:
        is_stop = request.POST.get("act") == "stop"
        act = kill_switch.stop if is_stop else kill_switch.resume
        try:
            act(by=request.user, reason=form.cleaned_data["reason"])
        except Refused as no:
            form.add_error(None, no.sentences)
        except Denied as no:
            form.add_error(None, str(no))
        else:
            said = "Dispatch is stopped: no action starts." if is_stop else "Dispatch is resumed: actions may start."
            self.message_user(request, said)
        return not form.errors
