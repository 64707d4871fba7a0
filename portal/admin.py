"""The back office as a whole: its sections, in the order in which people look for things."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal.accounts.admin import PersonAdmin
from portal.accounts.models import User

SECTIONS = {
    "Configuration": "Product Recipient RunbookVersion Connector Wiring",
    "People and access": "User ApiToken AuditGrant",
    "Evidence": "EvidenceEntry EvidenceChain Checkpoint",
    "Declaration and roles": "Incident Membership Proposal",
    "Freeze": "Freeze FreezeMeasure FreezeException",
    "Target": "Target Confirmation",
    "Rollback": "Action Approval Attempt",
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


def change_own_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The admin's page for one's own password, on record like all else that the admin changes."""
    with transaction.atomic():
        before = User.objects.get(pk=cast(User, request.user).pk)
        response: HttpResponse = AdminSite.password_change(admin.site, request, extra_context)
        cast(PersonAdmin, admin.site.get_model_admin(User)).record_password(request, before)
    return response


admin.site.get_app_list = sections  # type: ignore[method-assign]
# One door: the back office has no sign-in page of its own, which would ask for no second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.password_change = change_own_password  # type: ignore[method-assign,assignment]
admin.site.index_title = "Back office"

# Secrets and sessions are nobody's to read or edit here: a person's page has the acts that there are.
for model in (EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(model)
