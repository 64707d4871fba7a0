"""Say whether a connector would work, where the worker runs: `manage.py connector test NAME`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.models import Connector
from incidents.self_test import findings_of

WORDS = {True: "ok", False: "FAIL", None: "?"}


class Command(BaseCommand):
    help = (
        "Tests a connector: asks its system what is there and what is allowed. Starts nothing. Exit 1 if it would fail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("test", help="say whether it would work").add_argument("name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        row = Connector.objects.filter(name=name).first()
        if row is None:
            known = ", ".join(Connector.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no connector “{name}”. There is: {known}.")
        found = findings_of(row)
        for finding in found:
            self.stdout.write(f"{WORDS[finding.is_good]:4} {finding.sentence}")
        if any(finding.is_good is False for finding in found):
            raise SystemExit(1)
