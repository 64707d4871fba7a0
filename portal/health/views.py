"""The probes' addresses. No session is opened and nobody has to sign in; metrics ask who wants to know."""

from __future__ import annotations

from ipaddress import ip_address

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from incidents.api.problem import problem
from portal.accounts.auth import Unauthenticated, token_of
from portal.accounts.models import Scope
from portal.health import gauges
from portal.health.readiness import findings


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives. Nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether work can be done, with a reason for each thing it needs."""
    found = findings()
    ready = all(finding.ok for finding in found.values() if finding.needed)
    checks = {name: {"ok": finding.ok, "reason": finding.reason} for name, finding in found.items()}
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for loopback and for tokens that may read."""
    try:
        if not _is_local(request) and Scope.READ not in token_of(request).scopes:
            return problem(request, 403, "This token lacks the scope “read” (read incidents).", kind="scope")
        gauges.read()
    except Unauthenticated as error:
        return problem(request, 401, str(error))
    except DatabaseError:
        return problem(request, 503, "The database does not answer.")
    answer: HttpResponse = ExportToDjangoView(request)
    return answer


def _is_local(request: HttpRequest) -> bool:
    """Asked from this machine, and not through a proxy on it that speaks for someone else."""
    if any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
