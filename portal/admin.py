"""The back office as a whole: its sections, in the order in which people look for things."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

SECTIONS = {
    "Configuration": "Product Recipient RunbookVersion Connector Wiring",
    "People and access": "User ApiToken AuditGrant",
    "Evidence": "EvidenceEntry EvidenceChain Checkpoint",
    "Declaration and roles": "Incident Membership Proposal Suggestion",
    "Freeze": "Freeze FreezeMeasure FreezeException",
    "Target": "Target Confirmation",
    "Rollback": "Action Approval Rehearsal Attempt CallbackReceipt DispatchStop",
    "Cleanup": "CleanupItem Exhibit Attachment",
    "Verification": "Gate GateRun BaselineBlocker AcceptedRisk",
    "Unfreeze": "CycleOwner",
    "Updates": "Notice Delivery",
    "Deliverables": "Review FollowUp Safeguard Report",
}


def sections(request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
    """Every page of the back office under the runbook's words; what no section names comes last."""
    apps = AdminSite.get_app_list(admin.site, request, app_label)
    if app_label:
        return apps
    pages = {page["object_name"]: page for app in apps for page in app["models"]}
    named = {name: [pages.pop(word) for word in words.split() if word in pages] for name, words in SECTIONS.items()}
    named["More"] = list(pages.values())
    return [_section(name, models) for name, models in named.items() if models]


def _section(name: str, models: list[Any]) -> dict[str, Any]:
    label = name.lower().replace(" ", "-")
    url = f"{reverse('admin:index')}#{label}"
    return {"name": name, "app_label": label, "app_url": url, "has_module_perms": True, "models": models}


def own_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Lead to the page of one's own account, which asks for a fresh proof and bounds guesses at the old password."""
    return redirect("account_change_password")


admin.site.get_app_list = sections  # type: ignore[method-assign]
# One door: the back office has no sign-in page of its own, which would ask for no second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.password_change = own_password  # type: ignore[method-assign,assignment]
admin.site.index_title = "Back office"

# Secrets and sessions are nobody's to read or edit here: a person's page has the acts that there are.
for model in (EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(model)
