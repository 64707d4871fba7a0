"""Every address of the portal. Pages below, the API under /api/v1/, machines' probes at the root."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from portal.api.reference import reference
from portal.health import healthz, metrics, readyz

urlpatterns = [
    path("", include("incidents.urls")),
    path("", include("comms.urls")),
    path("", include("portal.accounts.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/", reference, name="api_reference"),
    path("api/v1/", include("portal.api_urls")),
]
handler403 = "portal.errors.forbidden"
handler500 = "portal.errors.server_error"

if settings.DEMO or settings.DEBUG:
    urlpatterns.append(path("look/", TemplateView.as_view(template_name="components/gallery.html"), name="look"))
if settings.MAILBOX:
    urlpatterns.append(path("mailbox/", include("portal.demo.mailbox_urls")))
