"""The demo's people, product, tokens and connectors: made once, found again, refused anywhere but in a demo."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from comms.models import Recipient
from incidents import authority, dispatch
from incidents.evidence import completeness, log
from incidents.models import AuditGrant, Connector, Environment, Product, RosterEntry, Suggestion, Wiring
from incidents.self_test import problems_of
from incidents.steps import declare
from incidents.terms import Level, Role
from portal.accounts.models import ApiToken, User
from portal.accounts.token import digest_of
from portal.demo import outside, seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def users_file(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.DEMO = True
    given = outside.settings("127.0.0.1:8000", "127.0.0.1:8100", outside.new_secret())
    settings.COMMANDS = json.loads(given["LASTGOOD_COMMANDS"])
    settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = given["LASTGOOD_OUTBOUND_HOSTS"].split(",")
    for name in (outside.RECEIVER_NAME, outside.SECRET_NAME):
        monkeypatch.setenv(name, given[name])
    return tmp_path / "users.json"


def load(users_file: Path) -> list[dict[str, str]]:
    call_command("seed_demo", users_file=users_file, verbosity=0)
    found: list[dict[str, str]] = json.loads(users_file.read_text())
    return found


def rows() -> dict[str, list[Any]]:
    models = (User, Product, Environment, RosterEntry, Recipient, ApiToken, AuditGrant, Connector, Wiring)
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


def test_there_is_a_person_for_each_role_and_those_around_them(users_file: Path) -> None:
    users = load(users_file)

    assert [user["role"] for user in users] == [*Role.values, "deputy", "auditor", "outsider", "admin"]
    assert all(set(user) == {"email", "password", "role", "name", "api_token"} for user in users)
    for user in users:
        person = authenticate(username=user["email"], password=user["password"])
        token = ApiToken.objects.get(digest=digest_of(user["api_token"]))
        assert person == token.user, user
        assert (token.is_live(), token.scopes, token.product) == (True, ["check", "read", "act"], None)
    assert User.objects.get(is_staff=True).email == users[-1]["email"]
    assert stat.S_IMODE(users_file.stat().st_mode) == 0o600


def test_the_people_can_run_an_incident(users_file: Path) -> None:
    people = {user["role"]: User.objects.get(email=user["email"]) for user in load(users_file)}
    product = Product.objects.get(slug="portarium")

    incident = declare.rollback_mode(
        product=product, trigger="regression", summary="Try it", scope_level=Level.L1, by=people["commander"]
    )

    assert {row.role: row.user for row in incident.memberships.all()} == {role: people[role] for role in Role}
    assert authority.may_declare(people["deputy"], product)
    assert [authority.visible_incidents(people[role]).exists() for role in ("deputy", "auditor")] == [True, True]
    assert [authority.visible_incidents(people[role]).exists() for role in ("outsider", "admin")] == [False, False]
    assert (product.stability_seconds, product.cadence_minutes) == (20, 30)
    assert [environment.name for environment in product.environments.all()] == ["dev", "staging", "prod"]
    assert Recipient.objects.filter(product=product, email__endswith="@stakeholders.demo").count() == 6


def test_loading_again_changes_nothing_and_keeps_every_token(users_file: Path) -> None:
    first = load(users_file)
    before, ci = rows(), seed.ci_file(users_file).read_text()
    recorded = log.global_chain().entries.count()

    assert load(users_file) == first

    assert rows() == before
    assert seed.ci_file(users_file).read_text() == ci
    assert log.global_chain().entries.count() == recorded
    assert completeness.check_configuration() == []


def test_what_an_administrator_changed_is_left_alone(users_file: Path) -> None:
    load(users_file)
    Product.objects.update(name="Renamed", cadence_minutes=5)
    RosterEntry.objects.filter(rank=2).delete()
    Recipient.objects.first().delete()  # type: ignore[union-attr]
    before = rows()

    load(users_file)

    assert rows() == before


def test_a_lost_file_gets_new_tokens_and_the_old_ones_end(users_file: Path) -> None:
    old = {user["role"]: user["api_token"] for user in load(users_file)}
    users_file.unlink()

    new = {user["role"]: user["api_token"] for user in load(users_file)}

    assert set(old.values()).isdisjoint(new.values())
    assert completeness.check_configuration() == []
    assert not any(ApiToken.objects.get(digest=digest_of(token)).is_live() for token in old.values())
    assert all(ApiToken.objects.get(digest=digest_of(token)).is_live() for token in new.values())


def test_a_token_that_was_revoked_is_issued_anew(users_file: Path) -> None:
    users = load(users_file)
    ApiToken.objects.filter(digest=digest_of(users[0]["api_token"])).update(revoked_at="2026-01-01T00:00:00Z")

    again = load(users_file)

    assert again[0]["api_token"] != users[0]["api_token"]
    assert again[1:] == users[1:]


def test_a_pipeline_has_a_token_that_only_asks_the_gate_and_suggests(users_file: Path) -> None:
    load(users_file)

    (ci,) = json.loads(seed.ci_file(users_file).read_text())

    token = ApiToken.objects.get(digest=digest_of(ci["api_token"]))
    assert (token.scopes, token.product.slug if token.product else "") == (["check", "suggest"], "portarium")
    assert not token.user.has_usable_password()
    assert stat.S_IMODE(seed.ci_file(users_file).stat().st_mode) == 0o600


def test_one_suggestion_waits_for_the_commander_once(users_file: Path) -> None:
    load(users_file)
    load(users_file)

    suggestion = Suggestion.objects.get()
    assert (suggestion.title, suggestion.count) == ("ci:pr fails at “contract tests” on main", 1)


def test_what_is_wired_can_work_and_follows_the_ports_of_the_start(
    users_file: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(users_file)
    assert set(Wiring.objects.values_list("key", "connector__name")) == {
        ("3a-redeploy", "demo-redeploy"),
        ("3e-revoke", "demo-revoke"),
        ("health", "demo-health"),
    }
    for connector in Connector.objects.all():
        assert problems_of(connector.kind, connector.config, connector.secret, here=True) == []
    monkeypatch.setenv(outside.RECEIVER_NAME, "http://127.0.0.1:8200")
    settings.PUBLIC_URL = "http://127.0.0.1:8201"

    load(users_file)

    assert Connector.objects.get(name="demo-revoke").config["url"] == "http://127.0.0.1:8200/revoke"
    assert Connector.objects.get(name="demo-health").config["url"] == "http://127.0.0.1:8201/healthz"
    assert completeness.check_configuration() == []
    assert dispatch.limits().commands.keys() == {"demo-redeploy"}


def test_it_is_refused_where_no_demo_runs(users_file: Path, settings: Any) -> None:
    settings.DEMO = False

    with pytest.raises(CommandError, match="LASTGOOD_DEMO=1"):
        load(users_file)

    assert User.objects.count() == 0


def test_people_share_the_one_slow_hash_of_their_password(users_file: Path) -> None:
    users = load(users_file)

    people = User.objects.filter(email__in=[user["email"] for user in users])
    assert len(people) == 10
    assert len({person.password for person in people}) == 1
