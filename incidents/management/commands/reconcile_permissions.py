"""Make guardian's rows say what memberships, roster and owners say, and print where they did not."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from incidents import authority, configuration
from incidents.models import Incident, IncidentUserObjectPermission
from incidents.steps.base import locked

DIFFERS = 1


class Command(BaseCommand):
    help = "Compares the permission rows of every incident with what they are derived from, and repairs them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only print differences; exit 1 when there are any")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        found: list[str] = []
        for pk in Incident.objects.order_by("pk").values_list("pk", flat=True):
            found += self._reconciled(pk, check)
        self.stdout.write(f"{len(found)} differences{'' if check or not found else ', repaired'}.")
        if check and found:
            sys.exit(DIFFERS)

    def _reconciled(self, pk: int, check: bool) -> list[str]:
        with transaction.atomic():
            incident = locked(pk)
            found = _differences(incident)
            for sentence in found:
                self.stdout.write(f"{incident}: {sentence}")
            if found and not check:
                _repair(incident, found)
        return found


def _differences(incident: Incident) -> list[str]:
    """`surplus` rows nothing stands behind, `missing` ones that should be there."""
    wanted = {(name, user) for name, users in authority.derived(incident).items() for user in users}
    rows = IncidentUserObjectPermission.objects.filter(content_object=incident)
    present = set(rows.values_list("permission__codename", "user_id"))
    surplus = [f"surplus {name} of user {user}" for name, user in sorted(present - wanted)]
    return surplus + [f"missing {name} of user {user}" for name, user in sorted(wanted - present)]


def _repair(incident: Incident, found: list[str]) -> None:
    known = authority.derived(incident)
    unknown = IncidentUserObjectPermission.objects.filter(content_object=incident)
    unknown.exclude(permission__codename__in=known).delete()
    authority.project(incident)
    configuration.record(
        f"Permissions of {incident} repaired: {len(found)} differences",
        by=None,
        thing="permissions",
        identity=incident.reference,
        old={"differences": found},
        new={},
    )
