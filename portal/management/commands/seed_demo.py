"""Load what the demo shows: `manage.py seed_demo --users-file FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.demo import seed


class Command(BaseCommand):
    help = "Loads product portarium and the demo people, and writes their sign-ins to a file. Only for the demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users-file", type=Path, required=True, help="where to write the sign-ins, mode 0600")

    def handle(self, *args: Any, users_file: Path | str, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo people have a well-known password. Set LASTGOOD_DEMO=1 where that is fine.")
        seed.load(Path(users_file))
        self.stdout.write(f"Demo loaded; its sign-ins are in {users_file}.")
