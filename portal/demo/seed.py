"""What the demo shows: product, people, roster, tokens and connectors. What is already there stays as it is."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from comms.models import Recipient
from incidents import configuration
from incidents.api import inbound
from incidents.models import AuditGrant, Connector, Environment, Product, RosterEntry, Wiring
from incidents.steps import suggest
from incidents.terms import ConnectorKind, Role
from portal.accounts.models import ApiToken, Scope, User
from portal.accounts.token import digest_of
from portal.demo import outside
from portal.demo.folder import write_privately
from portal.demo.people import DEPUTY_OF, DOMAIN, PASSWORD, PEOPLE, RECIPIENTS, Person

LASTS = timedelta(days=365)
ENVIRONMENTS = ("dev", "staging", "prod")
TOKEN = "Demo token"  # noqa: S105
EVERYTHING = [Scope.CHECK.value, Scope.READ.value, Scope.ACT.value]


def load(users_file: Path) -> None:
    """Make what is missing, and write who may sign in; tokens that still hold are kept."""
    with transaction.atomic():
        users = _people()
        product, is_new = Product.objects.get_or_create(
            slug="portarium", defaults={"name": "Portarium", "stability_seconds": 20, "cadence_minutes": 30}
        )
        if is_new:
            _furnish(product, users)
        _connect(product)
        _allow_audit(users["auditor"], users["admin"])
        known = _known_tokens(users_file)
        rows = [_row(person, users[person.role], known) for person in PEOPLE]
        pipeline = _pipeline(product, _known_tokens(ci_file(users_file)))
        if is_new:
            _suggest(product)
    write_privately(users_file, json.dumps(rows, indent=1))
    write_privately(ci_file(users_file), json.dumps([pipeline], indent=1))


def ci_file(users_file: Path) -> Path:
    """Where the pipeline's token stands: it signs in nowhere, so it is not among the users."""
    return users_file.with_name("ci-token.json")


def _people() -> dict[str, User]:
    """Every demo person by role. They share a password, so they share its slow hash."""
    present = {user.email: user for user in User.objects.filter(email__in=[person.email for person in PEOPLE])}
    missing = [person for person in PEOPLE if person.email not in present]
    hashed = make_password(PASSWORD) if missing else ""
    for person in missing:
        rights = {"is_staff": True, "is_superuser": True} if person.role == "admin" else {}
        user = User.objects.create(email=person.email, name=person.name, password=hashed, **rights)
        configuration.record_row(user, by=None)
        present[person.email] = user
    return {person.role: present[person.email] for person in PEOPLE}


def _furnish(product: Product, users: dict[str, User]) -> None:
    Environment.objects.bulk_create(
        Environment(product=product, name=name, position=position) for position, name in enumerate(ENVIRONMENTS, 1)
    )
    RosterEntry.objects.bulk_create(RosterEntry(product=product, role=role, user=users[role], rank=1) for role in Role)
    RosterEntry.objects.create(product=product, role=DEPUTY_OF, user=users["deputy"], rank=2)
    configuration.record_row(product, by=None)
    for name, email in RECIPIENTS:
        configuration.record_row(Recipient.objects.create(product=product, name=name, email=email), by=None)


def _connect(product: Product) -> None:
    """Wire what really runs here. The addresses follow the ports of this start."""
    receiver = os.environ.get(outside.RECEIVER_NAME, "http://127.0.0.1:9")
    secret = f"env:{outside.SECRET_NAME}"
    for key, name, kind, config, secret_of in (
        ("3a-redeploy", outside.COMMAND, ConnectorKind.COMMAND, {"command": outside.COMMAND}, ""),
        ("3e-revoke", "demo-revoke", ConnectorKind.WEBHOOK, {"url": f"{receiver}/revoke", "idempotent": True}, secret),
        ("health", "demo-health", ConnectorKind.PROBE, {"url": f"{settings.PUBLIC_URL}/healthz"}, ""),
    ):
        connector, is_new = Connector.objects.get_or_create(
            name=name, defaults={"kind": kind, "config": config, "secret": secret_of, "deadline_seconds": 60}
        )
        if is_new:
            configuration.record_row(connector, by=None)
            wiring = Wiring.objects.create(product=product, key=key, connector=connector)
            configuration.record_row(wiring, by=None)
        elif connector.config.get("url") != config.get("url"):
            old = configuration.page_of(Connector).snapshot(connector)
            connector.config = connector.config | {"url": config["url"]}
            connector.save(update_fields=["config"])
            configuration.record_row(connector, by=None, old=old)


def _allow_audit(auditor: User, admin: User) -> None:
    if not auditor.audit_grants.exists():
        grant = AuditGrant.objects.create(
            user=auditor, granted_by=admin, reason="Yearly audit (demo)", expires_at=timezone.now() + LASTS
        )
        configuration.record_row(grant, by=None)


# Tokens: the file of the data folder is the only place that has their secrets ----------------------------------------


def _known_tokens(file: Path) -> dict[str, str]:
    try:
        return {row["email"]: row["api_token"] for row in json.loads(file.read_text())}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _row(person: Person, user: User, known: dict[str, str]) -> dict[str, str]:
    token = _token(user, known.get(user.email, ""), scopes=EVERYTHING)
    return {
        "email": user.email,
        "password": PASSWORD,
        "role": str(person.role),
        "name": user.name,
        "api_token": token,
    }


def _pipeline(product: Product, known: dict[str, str]) -> dict[str, Any]:
    user, is_new = User.objects.get_or_create(email=f"ci@{DOMAIN}", defaults={"name": "CI pipeline"})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        configuration.record_row(user, by=None)
    scopes = [Scope.CHECK.value, Scope.SUGGEST.value]
    token = _token(user, known.get(user.email, ""), scopes=scopes, product=product)
    return {"email": user.email, "name": user.name, "product": product.slug, "scopes": scopes, "api_token": token}


def _suggest(product: Product) -> None:
    """One suggestion waits, as the pipeline would send it."""
    failing = inbound.of_pipeline(
        pipeline="ci:pr",
        state="failed",
        step="contract tests",
        branch="main",
        commit="4f1c2d9",
        run="812",
        summary="3 of 214 contract tests fail since deploy 1182.",
    )
    suggest.receive(failing, product, by=User.objects.get(email=f"ci@{DOMAIN}"), token=TOKEN)


def _token(user: User, known: str, *, scopes: list[str], product: Product | None = None) -> str:
    """The token that the file knows while it holds; otherwise a new one, and its forgotten forerunners end."""
    now = timezone.now()
    mine = ApiToken.objects.filter(user=user, name=TOKEN, revoked_at=None)
    if known and mine.filter(digest=digest_of(known), expires_at__gt=now).exists():
        return known
    for forgotten in mine:
        old = configuration.page_of(ApiToken).snapshot(forgotten)
        forgotten.revoked_at = now
        forgotten.save(update_fields=["revoked_at"])
        configuration.record_row(forgotten, by=None, old=old)
    token, secret = ApiToken.issue(user, name=TOKEN, scopes=scopes, product=product, expires_at=now + LASTS)
    configuration.record_row(token, by=None)
    return secret
