"""Write an incident's review for the repository: `manage.py export_review RB-2026-0007 --to docs/review`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents import exports
from incidents.models import Incident


class Command(BaseCommand):
    help = "Writes the review of an incident as Markdown, in the form of the repository's reviews."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REF", help="the incident, as RB-2026-0007")
        parser.add_argument(
            "--to", metavar="DIR", default=settings.REVIEW_PATH, help=f"the folder ({settings.REVIEW_PATH})"
        )

    def handle(self, *args: Any, reference: str, to: str, **options: Any) -> None:
        incident = Incident.objects.filter(reference=reference).first()
        if incident is None:
            raise CommandError(f"There is no incident {reference}.")
        path = Path(to) / exports.review_name(incident)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(exports.review(incident), encoding="utf-8", newline="\n")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        self.stdout.write(str(path))
