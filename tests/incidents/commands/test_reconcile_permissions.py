"""`manage.py reconcile_permissions`: rows that nothing stands behind go, rows that are missing come back."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command

from incidents import authority
from incidents.models import Incident, IncidentUserObjectPermission
from incidents.terms import Role
from tests.factories import make_crew, make_incident
from tests.incidents.admin.given import configured

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, list[str]]:
    said = StringIO()
    try:
        call_command("reconcile_permissions", *arguments, stdout=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue().splitlines()
    return 0, said.getvalue().splitlines()


def grant(user: object, incident: Incident, codename: str) -> None:
    permission = Permission.objects.get(codename=codename, content_type__app_label="incidents")
    IncidentUserObjectPermission.objects.create(user=user, content_object=incident, permission=permission)


def test_nothing_to_repair_is_said_and_changes_nothing() -> None:
    make_incident(make_crew())

    assert run() == (0, ["0 differences."])
    assert run("--check") == (0, ["0 differences."])
    assert configured() == []


def test_differences_are_printed_repaired_and_on_record() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    grant(crew.outsider, incident, "hold_security_lead")
    grant(crew.outsider, incident, "delete_incident")
    rows = IncidentUserObjectPermission.objects.filter(content_object=incident)
    rows.filter(user=crew.commander, permission__codename="hold_commander").delete()
    expected = [
        f"{incident}: surplus delete_incident of user {crew.outsider.pk}",
        f"{incident}: surplus hold_security_lead of user {crew.outsider.pk}",
        f"{incident}: missing hold_commander of user {crew.commander.pk}",
    ]

    only_looked = run("--check")
    repaired = run()

    assert only_looked == (1, [*expected, "3 differences."])
    assert repaired == (0, [*expected, "3 differences, repaired."])
    assert run("--check") == (0, ["0 differences."])
    assert authority.held_roles(crew.outsider, incident) == frozenset()
    assert authority.held_roles(crew.commander, incident) == {Role.COMMANDER}
    (entry,) = configured()
    assert entry.body["sentence"] == f"Permissions of {incident} repaired: 3 differences"
