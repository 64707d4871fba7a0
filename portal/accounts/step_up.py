"""What a person confirms with a fresh proof that it is they: the table, and the middleware that asks by it.

An act of the table is taken when the person proved themselves at most ten minutes ago, by signing in or here. Else the
answer to their form is a page with one field, which carries along all that they typed: nothing is kept on the server,
nothing is lost, and the act is done at its own address. Whoever has a second factor proves themselves with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.accounts import proofs, second_factor

FRESH_SECONDS = 600
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")

# Route name → what the person is about to do, as the page says it.
ROUTES = {
    "incidents:roles": "change who holds a role",
    "incidents:approve_action": "approve an action",
    "incidents:dispatch_action": "dispatch an action",
    "incidents:resolve_action": "decide an unknown outcome",
    "incidents:proposal_confirm": "confirm as the second person",
    "incidents:lift": "lift the freeze",
    "incidents:personal_values": "erase a personal value",
    "account_change_password": "change your password",
    "mfa_activate_totp": "set up an authenticator app",
    "mfa_deactivate_totp": "remove your authenticator app",
    "mfa_add_webauthn": "add a passkey",
    "mfa_edit_webauthn": "rename a passkey",
    "mfa_remove_webauthn": "remove a passkey",
    "mfa_view_recovery_codes": "see your recovery codes",
    "mfa_download_recovery_codes": "download your recovery codes",
    "mfa_generate_recovery_codes": "make new recovery codes",
}
# Every form of the back office: connectors, secrets, tokens, people, rosters.
NAMESPACES = {"admin": "change something in the back office"}
EXCEPT = frozenset({"admin:login", "admin:logout"})
# Pages that show a secret, or begin what must not be interrupted: reading them asks as well.
ALSO_READING = frozenset(
    {"mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_download_recovery_codes"}
)


def asked_for(route: Any, method: str | None) -> str:
    """What the person is about to do, in words; empty where this route and method ask for no step-up."""
    name = str(route.view_name)
    if name in EXCEPT or (method in SAFE_METHODS and name not in ALSO_READING):
        return ""
    return ROUTES.get(name) or next((NAMESPACES[space] for space in route.namespaces if space in NAMESPACES), "")


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person proved themselves within ten minutes, with a second factor if they have one."""
    now = time.time()
    recent = [
        record
        for record in get_authentication_records(request, request.user)
        if 0 <= now - record["at"] < FRESH_SECONDS
    ]
    if not recent:
        return False
    return any(record["method"] == "mfa" for record in recent) or not second_factor.has(request.user)


class StepUp:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        what = asked_for(request.resolver_match, request.method)
        if not what or not request.user.is_authenticated or is_fresh(request):
            return None
        offered = proofs.offered(request)
        for proof in offered:
            if proof.form.is_valid():
                proof.accept(request)
                _without_proof(request)
                return None if _has_sent_a_form(request) else redirect(request.get_full_path())
        proofs.challenge(offered, request.user)
        return _page(request, what, offered)


def _has_sent_a_form(request: HttpRequest) -> bool:
    """Whether there was something to do: who only read is led back to the page."""
    return str(request.resolver_match.view_name) not in ALSO_READING or any(_typed(request))  # type: ignore[union-attr]


def _without_proof(request: HttpRequest) -> None:
    """The view gets the form as it was first sent."""
    kept = request.POST.copy()
    for name in [name for name in kept if name.startswith(f"{proofs.PREFIX}-")]:
        del kept[name]
    request.POST = kept  # type: ignore[assignment]


def _page(request: HttpRequest, what: str, offered: list[proofs.Proof]) -> HttpResponse:
    context = {
        "what": what,
        "proofs": offered,
        "typed": list(_typed(request)),
        "has_files": bool(request.FILES),
        "demo_password": _demo_password() if settings.DEMO else "",
    }
    return render(request, "account/step_up.html", context)


def _typed(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """The form's fields but for its token and an earlier proof, in their order."""
    for name, values in request.POST.lists():
        if name != "csrfmiddlewaretoken" and not name.startswith(f"{proofs.PREFIX}-"):
            yield from ((name, str(value)) for value in values)


def _demo_password() -> str:
    from portal.demo.people import PASSWORD

    return PASSWORD
