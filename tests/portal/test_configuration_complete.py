"""Configuration stands in the global log, whoever changed it and however: what was done past it is named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.management import call_command
from django.db import models

from comms.models import Recipient
from incidents.evidence import checkpoints, completeness, log
from incidents.models import (
    AuditGrant,
    Checkpoint,
    Connector,
    Environment,
    EvidenceChain,
    Incident,
    Product,
    ReferenceCounter,
    RosterEntry,
    RunbookVersion,
    Wiring,
)
from incidents.steps import declare
from incidents.terms import Level, Role
from portal.accounts.models import ApiToken, User
from portal.demo import outside, seed
from tests.incidents.evidence import past_the_log

pytestmark = pytest.mark.django_db

# One column of each table, and a value that no entry says.
CHANGED: dict[type[models.Model], tuple[str, Any]] = {
    User: ("is_staff", True),
    Product: ("stability_seconds", 1),
    Environment: ("name", "forged"),
    RosterEntry: ("role", "security_lead"),
    Recipient: ("active", False),
    Connector: ("config", {"url": "https://forged.example.test/"}),
    Wiring: ("target_key", "forged"),
    AuditGrant: ("reason", "Because"),
    ApiToken: ("scopes", ["act"]),
    RunbookVersion: ("source", "title = 'forged'"),
    ReferenceCounter: ("last", 99),
    Checkpoint: ("root", "0" * 64),
}
# What a copy of a row differs in, so that no constraint refuses it.
COPIES: dict[type[models.Model], dict[str, Any]] = {
    User: {"public_id": uuid.uuid4(), "email": "forged@example.test"},
    Product: {"slug": "forged"},
    Environment: {"name": "forged", "position": 99},
    RosterEntry: {"rank": 99, "role": "security_lead"},
    Recipient: {"email": "forged@example.test"},
    Connector: {"name": "forged"},
    Wiring: {"key": "forged"},
    AuditGrant: {},
    ApiToken: {"digest": "0" * 64},
    RunbookVersion: {"number": 99},
    Incident: {"reference": "RB-2026-9999"},
    ReferenceCounter: {"year": 1999},
    Checkpoint: {"size": 99},
}
# Rows of these stand in the entries of the product that they belong to.
WITHIN = {Environment: "Product", RosterEntry: "Product"}


def sentences() -> list[str]:
    return [gap.sentence for gap in completeness.check_configuration()]


@pytest.fixture
def furnished(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Incident:
    """The demo's configuration, and an incident whose log was signed."""
    settings.DEMO = True
    given = outside.settings("127.0.0.1:8000", "127.0.0.1:8100", outside.new_secret())
    settings.COMMANDS = json.loads(given["LASTGOOD_COMMANDS"])
    for name in (outside.RECEIVER_NAME, outside.SECRET_NAME):
        monkeypatch.setenv(name, given[name])
    call_command("seed_demo", users_file=tmp_path / "users.json", verbosity=0)
    product = Product.objects.get()
    commander = product.roster.get(role=Role.COMMANDER, rank=1).user
    incident = declare.rollback_mode(
        product=product, trigger="regression", summary="Lag", scope_level=Level.L1, by=commander
    )
    checkpoints.sign(incident.chain, "by hand")
    return incident


def named_after(attack: Callable[[], None]) -> set[str]:
    """The tables of which a gap is named after an attack, which is then undone."""
    with past_the_log.undone():
        attack()
        found = completeness.check_configuration()
    return {gap.model.__name__ for gap in found}


def name_of(model: type[models.Model]) -> str:
    return WITHIN.get(model, model.__name__)


def last(model: type[models.Model]) -> Any:
    row = model._default_manager.order_by("pk").last()
    assert row, f"no {model.__name__}"
    return row


def test_what_the_demo_loads_is_complete(furnished: Incident) -> None:
    assert sentences() == []


@pytest.mark.parametrize("model", list(COPIES), ids=lambda model: model.__name__)
def test_configuration_that_was_put_in_by_sql_is_named(furnished: Incident, model: type[models.Model]) -> None:
    assert name_of(model) in named_after(lambda: past_the_log.insert(last(model), **COPIES[model]))


@pytest.mark.parametrize("model", list(CHANGED), ids=lambda model: model.__name__)
def test_configuration_that_was_changed_by_sql_is_named(furnished: Incident, model: type[models.Model]) -> None:
    assert name_of(model) in named_after(lambda: past_the_log.change(last(model), *CHANGED[model]))


@pytest.mark.parametrize("model", [*COPIES, EvidenceChain], ids=lambda model: model.__name__)
def test_configuration_that_was_taken_out_by_sql_is_named(furnished: Incident, model: type[models.Model]) -> None:
    row = furnished.chain if model is EvidenceChain else last(model)

    assert name_of(model) in named_after(lambda: past_the_log.delete(row))


def test_a_log_that_was_given_to_another_incident_is_named(furnished: Incident) -> None:
    def attack() -> None:
        past_the_log.insert(furnished, reference="RB-2026-9999")
        other = Incident.objects.get(reference="RB-2026-9999")
        past_the_log.change(EvidenceChain.objects.get(incident=furnished), "incident_id", other.pk)

    assert named_after(attack) == {"Incident", "EvidenceChain"}


def test_sentences_name_what_is_in_a_list_and_what_is_not(furnished: Incident) -> None:
    outsider = User.objects.get(email="olga@portarium.demo")
    recorded = log.global_chain().entries.get(body__object="product").seq
    deputy = RosterEntry.objects.get(rank=2)
    past_the_log.change(deputy, "user_id", outsider.pk)
    past_the_log.change(outsider, "is_staff", True)

    listed = "Product “portarium”: roster has {}“rank 2, role commander, user {}”{}"
    assert sentences() == [
        listed.format("", outsider.public_id, ", which stands in no entry."),
        listed.format("no ", _deputy().public_id, f" any more, which entry {recorded} has."),
        f"User {outsider.public_id}: is staff is true, but entry {_entry_of(outsider)} says false.",
    ]


def _entry_of(user: User) -> int:
    return int(log.global_chain().entries.get(body__object="user", body__id=str(user.public_id)).seq)


def _deputy() -> User:
    return User.objects.get(email="david@portarium.demo")


# Commands that change configuration ---------------------------------------------------------------------------------


def test_a_superuser_made_at_the_command_line_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")

    call_command("createsuperuser", email="root@example.test", name="Root", interactive=False, verbosity=0)

    entry = log.global_chain().entries.latest("seq")
    assert (entry.actor, entry.body["object"]) == (log.SYSTEM_ACTOR, "user")
    assert entry.body["new"]["is_superuser"] is True
    assert sentences() == []


def test_a_password_set_at_the_command_line_is_on_record_and_the_password_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = User.objects.create_superuser("root@example.test", "correct horse battery staple", name="Root")
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda *_: "another horse entirely")

    call_command("changepassword", "root@example.test", verbosity=0)

    entry = log.global_chain().entries.latest("seq")
    assert (entry.body["id"], entry.body["new"]) == (str(user.public_id), {"password": "changed"})
    assert "horse" not in entry.canonical
    assert User.objects.get().check_password("another horse entirely")
    assert sentences() == []


def test_the_users_file_of_the_demo_is_no_part_of_the_log(furnished: Incident, tmp_path: Path) -> None:
    secrets = [row["api_token"] for row in json.loads((tmp_path / "users.json").read_text())]
    secrets += [row["api_token"] for row in json.loads(seed.ci_file(tmp_path / "users.json").read_text())]
    written = "".join(log.global_chain().entries.values_list("canonical", flat=True))

    assert [secret for secret in secrets if secret in written] == []
