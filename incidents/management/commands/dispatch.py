"""The kill switch at the command line: `manage.py dispatch stop --reason TEXT --as EMAIL`, `… resume …`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.steps import kill_switch
from incidents.steps.base import Denied, Refused

_DONE = {"stop": "Dispatch is stopped: no action starts.", "resume": "Dispatch is resumed: actions may start."}


class Command(BaseCommand):
    help = "Stops dispatch, so that no action starts in any incident, or resumes it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["stop", "resume"])
        parser.add_argument("--reason", required=True, help="shown on every page, and kept in the global log")
        parser.add_argument("--as", required=True, dest="email", metavar="EMAIL", help="who does it, one of the staff")

    def handle(self, *args: Any, verb: str, reason: str, email: str, **options: Any) -> None:
        by = get_user_model().objects.filter(email__iexact=email).first()
        if by is None:
            raise CommandError(f"There is no account of {email}.")
        try:
            getattr(kill_switch, verb)(by=by, reason=reason)
        except Refused as no:
            raise CommandError(" ".join(no.sentences)) from no
        except Denied as no:
            raise CommandError(str(no)) from no
        self.stdout.write(_DONE[verb])
